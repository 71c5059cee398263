"""Training pairs: DataFrame in, DataFrame out."""
