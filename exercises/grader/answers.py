"""What a child sends is not believed: it is data of the form of an answer, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exercises.learner import running


def checked(data: bytes, count: int) -> dict[str, Any]:
    """What a child sent: {"results": [...]}, as many as `count`, or {"error": ...}."""
    nothing = {"kind": "Nothing", "message": "Your code ended without a result.", "line": ""}
    if not data:
        return {"error": nothing}
    try:
        answer = running.unpack(data, running.LONGEST_TREE)
    except ValueError:
        return {"error": nothing | {"message": "What came back is no result."}}
    if not isinstance(answer, dict):
        return {"error": nothing | {"message": "What came back is no result."}}
    if "error" in answer:
        return {"error": _error(answer["error"])}
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != count:
        return {"error": nothing | {"message": "What came back is not one result for each input."}}
    kept: list[dict[str, Any]] = []
    for result in results:
        if isinstance(result, dict) and set(result) == {"value"}:
            kept.append({"value": result["value"]})
        else:
            kept.append({"error": _error(result.get("error") if isinstance(result, dict) else 0)})
    return {"results": kept}


def _error(error: Any) -> dict[str, str]:
    fields: Mapping[Any, Any] = error if isinstance(error, dict) else {}
    texts = {key: fields.get(key, "") for key in ("kind", "message", "line")}
    return {key: value[:500] if isinstance(value, str) else "" for key, value in texts.items()}
