# ruff: noqa: ARG002 - marshmallow hands every field arguments that few of them need
"""Criteria within another schema."""

from typing import Any

from marshmallow import ValidationError, fields

from loyalty.criteria.catalogue import Catalogue
from loyalty.criteria.parsing import InvalidCriteria, Purpose, parse
from loyalty.criteria.tree import Criteria, dump


class CriteriaField(fields.Field[Criteria]):
    """Criteria on the fields of `catalogue`; loads as a tree, dumps as JSON.

    Faults are reported with pointers that begin at the whole body.
    """

    def __init__(
        self, catalogue: Catalogue, purpose: Purpose | None = None, **options: Any
    ) -> None:
        self.catalogue = catalogue
        self.purpose = purpose
        metadata = {
            "type": "object",
            "examples": [{"all": [{"field": "purchase.category", "is": "eq", "value": "5411"}]}],
            **options.pop("metadata", {}),
        }
        super().__init__(metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Criteria:
        try:
            return parse(value, self.catalogue, self.purpose)
        except InvalidCriteria as refused:
            raise ValidationError(refused.messages) from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> dict[str, Any] | None:
        return None if value is None else dump(value)
