"""Pages about judging: the numbers that were measured stand on them, and the pictures have their lines."""

from linnet.report.judging import reliability_chart, write_verifier_page

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
