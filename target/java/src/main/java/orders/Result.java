package orders;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/** How an order ended. A provider that gave no price has null in the quotes. */
record Result(
    String outcome,
    @JsonProperty("order_id") String id,
    String sku,
    int quantity,
    Map<String, Integer> quotes,
    String provider,
    String shipment,
    String reason) {

  static Result completed(Order order, Map<String, Integer> quotes, String provider, String shipment) {
    return new Result("completed", order.id(), order.sku(), order.quantity(), quotes, provider, shipment, null);
  }

  static Result compensated(Order order, Map<String, Integer> quotes, String provider, String reason) {
    return new Result("compensated", order.id(), order.sku(), order.quantity(), quotes, provider, null, reason);
  }

  static Result rejected(Order order, String reason) {
    return new Result("rejected", order.id(), order.sku(), order.quantity(), Map.of(), null, null, reason);
  }
}
