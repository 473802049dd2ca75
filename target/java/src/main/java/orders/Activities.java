package orders;

import io.dapr.workflows.WorkflowActivityContext;

/** The bodies of the activities. Each changes one thing in the world, and can safely be executed again. */
final class Activities {
  private final Stock stock;
  private final Providers providers;
  private final boolean releases;

  /** {@code releases = false} plants the defect skip_release. */
  Activities(Stock stock, Providers providers, boolean releases) {
    this.stock = stock;
    this.providers = providers;
    this.releases = releases;
  }

  /** Returns false if there is not enough stock. */
  Object reserveStock(WorkflowActivityContext ctx) {
    return stock.reserve(ctx.getInput(Order.class));
  }

  /** Returns a provider's price in cents; null if the provider does not answer. */
  Object quote(WorkflowActivityContext ctx) {
    return providers.quote(ctx.getInput(QuoteRequest.class));
  }

  /** Returns the shipment's id; null if the provider refuses for good, so that no other try would help. */
  Object registerShipment(WorkflowActivityContext ctx) {
    return providers.register(ctx.getInput(Shipping.class));
  }

  /** Cancels the order's shipment, whether it was committed or not. */
  Object cancelShipment(WorkflowActivityContext ctx) {
    providers.cancel(ctx.getInput(Shipping.class));
    return null;
  }

  /** Releases what was reserved for the order. */
  Object releaseStock(WorkflowActivityContext ctx) {
    if (releases) {
      stock.release(ctx.getInput(Order.class));
    }
    return null;
  }
}
