package orders;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;

/** An order, and the provider that is asked for its price. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record QuoteRequest(
    @JsonProperty("order_id") String id, String kind, String sku, int quantity, String provider, Object mark) {

  static QuoteRequest of(Order order, String provider, Object mark) {
    return new QuoteRequest(order.id(), order.kind(), order.sku(), order.quantity(), provider, mark);
  }
}
