package orders;

import com.fasterxml.jackson.annotation.JsonProperty;

/** An order, the provider that ships it, and the price in cents. */
record Shipping(
    @JsonProperty("order_id") String id, String kind, String sku, int quantity, String provider, int price) {

  static Shipping of(Order order, String provider, int price) {
    return new Shipping(order.id(), order.kind(), order.sku(), order.quantity(), provider, price);
  }
}
