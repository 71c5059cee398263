"""Settings of samples."""

from pydantic import Field, model_validator

from shoprec.settings import Settings


class SampleSettings(Settings):
    """Settings of samples. An event type of weight 0 makes no samples."""

    weight_purchase: float = Field(1.0, ge=0, le=1000, description="weight of a purchase")
    weight_cart: float = Field(0.5, ge=0, le=1000, description="weight of a cart")
    weight_rating: float = Field(0.5, ge=0, le=1000, description="weight of a rating, whatever it says")
    weight_search_click: float = Field(0.3, ge=0, le=1000, description="weight of a click on a search result")
    weight_view: float = Field(0.2, ge=0, le=1000, description="weight of a view")
    half_life_days: float = Field(120.0, gt=0, le=3650, description="days after which an event counts half")
    window_days: float | None = Field(None, gt=0, le=36500, description="age beyond which events are left out")

    @model_validator(mode="after")
    def _some_weight(self) -> "SampleSettings":
        if not self.weights:
            raise ValueError("every event type has weight 0: there would be no samples")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Event type -> weight, of the types that make samples. Returns and coupon redemptions never do."""
        types = ("purchase", "cart", "rating", "search_click", "view")
        return {name: weight for name in types if (weight := getattr(self, f"weight_{name}")) > 0}
