"""Pages about judging: the numbers that were measured stand on them, and the pictures have their lines."""

from linnet.report.judging import reliability_chart, search_chart, write_search_page, write_verifier_page

QUALITY = {
    "answers": 1200,
    "problems": 150,
    "share_right": 0.625,
    "auroc": 0.9312,
    "interval": (0.911, 0.949),
    "auroc_within": 0.887,
    "interval_within": (0.85, 0.92),
    "calibration_error": 0.0432,
    "brier": 0.1021,
    "accuracy": 0.871,
}


def test_the_verifiers_page(tmp_path):
    blind = {**QUALITY, "auroc": 0.551, "auroc_within": None}
    path = write_verifier_page(tmp_path, QUALITY, {"answer only": blind}, [(0.05, 0.07), (0.95, 0.9)])
    html = path.read_text()
    for words in ("0.931", "0.911 to 0.949", "answer only 0.551", "0.043", "1,200 answers to 150", "62.5%", "0.887"):
        assert words in html, words


def test_the_reliability_picture_has_the_line_of_perfection():
    chart = reliability_chart([(0.1, 0.2), (0.9, 0.8)])
    assert [line.points for line in chart.lines] == [((0.1, 0.2), (0.9, 0.8)), ((0.0, 0.0), (1.0, 1.0))]
    assert "20.0% at score 0.1, 80.0% at score 0.9" in chart.description


def points(*triples: tuple[float, float, float]) -> list[dict]:
    return [{"tries": n, "tokens": t, "right": r, "interval": (r - 0.1, r + 0.1)} for n, t, r in triples]


def test_the_page_of_test_time_compute(tmp_path):
    curves = {"majority": points((1, 20, 0.5), (4, 81.5, 0.625)), "pass@n": points((1, 20, 0.5), (4, 81.5, 0.75))}
    gain = {"difference": 0.125, "low": 0.031, "high": 0.219, "verdict": "better"}
    none = {"difference": -0.015, "low": -0.05, "high": 0.02, "verdict": "not shown"}
    single, greedy = points((1, 20, 0.5), (1, 19, 0.64))
    found = {"curves": curves, "one_try": single, "greedy": greedy}
    found |= {"gains": {"majority": gain}, "gains_over_greedy": {"majority": none}}
    html = write_search_page(tmp_path, found, "40 problems of sums.").read_text()
    for words in ("62.5%", "52.5% to 72.5%", "+12.5% (+3.1% to +21.9%): better", "-1.5% (-5.0% to +2.0%): not shown"):
        assert words in html, words
    for words in ("64.0%", "40 problems of sums.", "greedy", "pass@n"):
        assert words in html, words


def test_a_curve_is_drawn_in_order_of_what_it_costs():
    curves = {"gated": points((3.5, 70, 0.7), (1.5, 30, 0.6)), "pass@n": points((1, 20, 0.5), (2, 40, 0.8))}
    gated, ceiling = search_chart(curves, "tokens").lines
    assert gated.points == ((30, 0.6), (70, 0.7))
    assert gated.intervals[0] == (0.5, 0.7)
    assert ceiling.quiet
    assert not gated.quiet
    assert search_chart(curves, "tries").lines[0].points[0] == (1.5, 0.6)
