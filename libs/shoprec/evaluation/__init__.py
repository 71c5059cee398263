"""How good the lists are: judged lists, measures, bootstrap intervals, paired tests, the summary and the report."""
