import json

from tests.fuzz.mutate import mutated, mutated_json
from tests.fuzz.test_cases import KEPT


def test_json_stays_json_and_changes() -> None:
    text = '{"a": [1, {"b": "c"}]}'
    found = {mutated_json(text, seed) for seed in range(200)} - {None}
    assert len(found) > 50
    for each in found:
        json.loads(str(each))


def test_the_same_seed_gives_the_same_change() -> None:
    assert mutated_json("[1, 2, 3]", 5) == mutated_json("[1, 2, 3]", 5)


def test_what_is_no_json_is_left_to_others() -> None:
    assert mutated_json("a,b\n", 1) is None


def test_every_target_with_json_is_changed_in_its_frame() -> None:
    for case in KEPT:
        data, target = case.read_bytes(), case.parent.name
        changed = [found for seed in range(9) if (found := mutated(target, data, seed))]
        if target == "header" and case.name == "two-tensors":
            assert all(int.from_bytes(each[:8], "little") < len(each) for each in changed)
            assert changed
