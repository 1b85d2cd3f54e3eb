"""Prometheus' text format."""

from linnet.serve.gauges import SECONDS, Gauges


def test_counts_times_and_levels():
    gauges = Gauges()
    gauges.count("a_total", "About a.", path="/x", status="200")
    gauges.count("a_total", "About a.", 2, status="200", path="/x")
    gauges.time("b_seconds", "About b.", 0.03)
    gauges.time("b_seconds", "About b.", 1e9)
    lines = gauges.text([("c", "About c.", {"model": 'm"\\\n'}, 1.5), ("c", "About c.", {}, True)]).splitlines()
    assert "# TYPE a_total counter" in lines
    assert 'a_total{path="/x",status="200"} 3' in lines
    assert 'b_seconds_bucket{le="0.025"} 0' in lines
    assert 'b_seconds_bucket{le="0.05"} 1' in lines
    assert f'b_seconds_bucket{{le="{SECONDS[-1]}"}} 1' in lines
    assert 'b_seconds_bucket{le="+Inf"} 2' in lines
    assert "b_seconds_count 2" in lines
    assert 'c{model="m\\"\\\\\\n"} 1.5' in lines
    assert "c 1" in lines
    assert sum(line == "# TYPE c gauge" for line in lines) == 1
