package orders;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The stock of one SKU, with everything that ever moved it. The orders in {@code closed} reserve nothing more. */
record Document(String sku, int initial, int available, List<Movement> movements, List<String> closed) {
  private static final String RESERVE = "reserve";
  private static final String RELEASE = "release";

  record Movement(
      @JsonProperty("instance_id") String order,
      String effect,
      String key,
      @JsonProperty("at_ns") long at,
      Attributes attributes) {}

  /** The units that a movement moved, and the stock after it. */
  record Attributes(int quantity, int available, int initial) {}

  static Document created(String sku) {
    int units = sku.startsWith("scarce-") ? 3 : 1_000_000;
    return new Document(sku, units, units, List.of(), List.of());
  }

  /** Whether an order's reservation is decided: it was made, or the order is closed. */
  boolean hasReserved(String order) {
    return find(order, RESERVE).isPresent() || closed.contains(order);
  }

  Document reserved(String order, int quantity) {
    return moved(order, RESERVE, -quantity);
  }

  boolean hasReleased(String order) {
    return find(order, RELEASE).isPresent() || closed.contains(order);
  }

  /** Releases what was reserved for an order. If nothing was, nothing can be reserved for it any more. */
  Document released(String order) {
    return find(order, RESERVE)
        .map(reserved -> moved(order, RELEASE, reserved.attributes().quantity()))
        .orElseGet(() -> new Document(sku, initial, available, movements, with(closed, order)));
  }

  private Optional<Movement> find(String order, String effect) {
    return movements.stream().filter(move -> move.order().equals(order) && move.effect().equals(effect)).findFirst();
  }

  private Document moved(String order, String effect, int units) {
    int left = available + units;
    Attributes attributes = new Attributes(Math.abs(units), left, initial);
    Movement movement = new Movement(order, effect, order + "/" + effect, now(), attributes);
    return new Document(sku, initial, left, with(movements, movement), closed);
  }

  private static <T> List<T> with(List<T> list, T last) {
    return Stream.concat(list.stream(), Stream.of(last)).toList();
  }

  /** Returns the time in nanoseconds since the epoch. */
  private static long now() {
    Instant now = Instant.now();
    return now.getEpochSecond() * 1_000_000_000L + now.getNano();
  }
}
