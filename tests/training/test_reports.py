"""What rank 0 tells the driver."""

from shoprec.training.reports import heard, now_and_then, printed


def test_a_printed_report_is_heard_behind_what_launchers_put_before_it(capsys):
    printed({"epoch": 1, "loss": 0.5})
    line = capsys.readouterr().out
    assert heard(f"[1,0]<stdout>:{line}") == heard(line) == {"epoch": 1, "loss": 0.5}
    assert heard("loss 0.5") is None


def test_what_happens_often_is_told_now_and_then(monkeypatch):
    told, now = [], [100.0]
    monkeypatch.setattr("shoprec.training.reports.time.monotonic", lambda: now[0])
    often = now_and_then(told.append)
    for second in range(17):
        now[0] = 100.0 + second
        often({"second": second})
    assert told == [{"second": 6}, {"second": 12}]
