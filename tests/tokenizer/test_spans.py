from distilcli.tokenizer.spans import Spans


def test_spans_are_a_list_of_pairs() -> None:
    spans = Spans()
    spans.extend([(0, 3), (3, 7)])
    spans.append((8, 9))
    assert (len(spans), list(spans)) == (3, [(0, 3), (3, 7), (8, 9)])
    assert spans[1] == (3, 7)
    assert spans[-1] == (8, 9)
    assert spans[1:] == [(3, 7), (8, 9)]
