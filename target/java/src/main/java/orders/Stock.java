package orders;

import io.dapr.client.DaprClient;
import io.dapr.client.domain.State;
import io.dapr.client.domain.StateOptions;
import io.dapr.exceptions.DaprException;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;

/** The stock of every SKU, as documents in a state store of Dapr, saved with their etags. */
final class Stock {
  private static final int SAVES = 40;
  private static final String OTHER_ETAG = "ABORTED"; // the gRPC status of a save whose etag is not the current one
  private static final StateOptions FIRST_WRITE =
      new StateOptions(StateOptions.Consistency.STRONG, StateOptions.Concurrency.FIRST_WRITE);

  private final DaprClient client;
  private final String store;
  private final boolean guarded;

  /** {@code guarded = false} plants the defect lost_update. */
  Stock(DaprClient client, String store, boolean guarded) {
    this.client = client;
    this.store = store;
    this.guarded = guarded;
  }

  /** Reserves an order's quantity, once, however often this is called; returns false if there is not enough. */
  boolean reserve(Order order) {
    Document after =
        change(
            order.sku(),
            stock ->
                stock.hasReserved(order.id()) || stock.available() < order.quantity()
                    ? Optional.empty()
                    : Optional.of(stock.reserved(order.id(), order.quantity())));
    return after.hasReserved(order.id());
  }

  /** Releases what was reserved for an order, once. */
  void release(Order order) {
    change(
        order.sku(),
        stock -> stock.hasReleased(order.id()) ? Optional.empty() : Optional.of(stock.released(order.id())));
  }

  /**
   * Reads a document, changes and saves it; if somebody else saved it meanwhile, again. Returns it as it is then: no
   * change, no save.
   */
  private Document change(String sku, Function<Document, Optional<Document>> change) {
    String key = "stock-" + sku;
    for (int save = 0; save < SAVES; save++) {
      State<Document> stored = client.getState(store, key, Document.class).block();
      Document before = stored.getValue() == null ? Document.created(sku) : stored.getValue();
      Optional<Document> after = change.apply(before);
      if (after.isEmpty()) {
        return before;
      }
      if (save(key, stored.getEtag(), after.get())) {
        return after.get();
      }
    }
    throw new IllegalStateException("others saved " + key + " first, " + SAVES + " times");
  }

  private boolean save(String key, String etag, Document document) {
    if (!guarded) {
      pause(250);
      client.saveState(store, key, document).block();
      return true;
    }
    try {
      client.saveState(store, key, etag, document, FIRST_WRITE).block();
      return true;
    } catch (DaprException e) {
      if (!OTHER_ETAG.equals(e.getErrorCode())) {
        throw e;
      }
      pause(ThreadLocalRandom.current().nextInt(2, 30));
      return false;
    }
  }

  private static void pause(long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
