package orders;

import io.dapr.durabletask.Task;
import io.dapr.durabletask.TaskFailedException;
import io.dapr.workflows.Workflow;
import io.dapr.workflows.WorkflowContext;
import io.dapr.workflows.WorkflowStub;
import io.dapr.workflows.WorkflowTaskOptions;
import io.dapr.workflows.WorkflowTaskRetryContext;
import io.dapr.workflows.WorkflowTaskRetryPolicy;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The order workflow: reserve stock, ask all providers for a price at once, ship with the cheapest. What was done is
 * compensated if the order cannot be shipped. The code only decides, and is deterministic.
 */
final class OrderV1 implements Workflow {
  static final String RESERVE = "reserve_stock_v1";
  static final String QUOTE = "quote_v1";
  static final String REGISTER = "register_shipment_v1";
  static final String CANCEL = "cancel_shipment_v1";
  static final String RELEASE = "release_stock_v1";

  private static final List<String> PROVIDERS = List.of("heron", "kestrel", "swift");
  private static final int ROUNDS = 10;
  private static final Duration PAUSE = Duration.ofSeconds(1);

  // The store may be away for some seconds, so a call is tried again at a constant interval, for half a minute.
  private static final WorkflowTaskOptions STORE = retried(60, Duration.ofMillis(500));
  // If a compensation were given up, it would be left half done.
  private static final WorkflowTaskOptions COMPENSATION = retried(600, Duration.ofSeconds(1));
  // A provider in trouble gets more and more time: the waits are 0.3, 0.6, 1.2 and 2 s.
  private static final int PROVIDER_ATTEMPTS = 5;
  private static final Duration FIRST_WAIT = Duration.ofMillis(300);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(2);
  private static final WorkflowTaskOptions PROVIDER = new WorkflowTaskOptions(OrderV1::waits);
  // The SDK's policy (1.16) is another: it begins with the second wait and forgets the longest, so 0.6, 1.2, 2.4, 4.8 s.
  private static final WorkflowTaskOptions SDK_WAITS =
      new WorkflowTaskOptions(
          WorkflowTaskRetryPolicy.newBuilder()
              .setMaxNumberOfAttempts(PROVIDER_ATTEMPTS)
              .setFirstRetryInterval(FIRST_WAIT)
              .setBackoffCoefficient(2)
              .setMaxRetryInterval(LONGEST_WAIT)
              .build());

  private final Supplier<Object> mark;
  private final WorkflowTaskOptions provider;

  /** A {@code mark} makes the code nondeterministic; {@code sdkWaits} plants the defect sdk_waits. */
  OrderV1(Supplier<Object> mark, boolean sdkWaits) {
    this.mark = mark;
    this.provider = sdkWaits ? SDK_WAITS : PROVIDER;
  }

  @Override
  public WorkflowStub create() {
    return ctx -> ctx.complete(process(ctx, ctx.getInput(Order.class)));
  }

  private Result process(WorkflowContext ctx, Order order) {
    boolean reserved;
    try {
      reserved = ctx.callActivity(RESERVE, order, STORE, Boolean.class).await();
    } catch (TaskFailedException e) {
      // A try whose answer was lost may still have reserved the stock.
      ctx.callActivity(RELEASE, order, COMPENSATION).await();
      return Result.compensated(order, Map.of(), null, "given up on the stock");
    }
    if (!reserved) {
      return Result.rejected(order, "insufficient stock");
    }

    Map<String, Integer> quotes = ask(ctx, order);
    Optional<String> cheapest = cheapest(quotes);
    if (cheapest.isEmpty()) {
      ctx.callActivity(RELEASE, order, COMPENSATION).await();
      return Result.compensated(order, quotes, null, "no provider answered");
    }

    String name = cheapest.get();
    Shipping shipping = Shipping.of(order, name, quotes.get(name));
    String reason = "refused by the provider";
    try {
      String shipment = ctx.callActivity(REGISTER, shipping, provider, String.class).await();
      if (shipment != null) {
        return Result.completed(order, quotes, name, shipment);
      }
    } catch (TaskFailedException e) {
      reason = "given up on the provider";
    }

    // The shipment may have been committed although its answer was lost. It is cancelled before the stock is released:
    // otherwise it could leave when its stock is already reserved for another order.
    ctx.callActivity(CANCEL, shipping, COMPENSATION).await();
    ctx.callActivity(RELEASE, order, COMPENSATION).await();
    return Result.compensated(order, quotes, name, reason);
  }

  /** Returns each provider's price in cents, null for one that did not answer. If none answers, all are asked again. */
  private Map<String, Integer> ask(WorkflowContext ctx, Order order) {
    Map<String, Integer> quotes = new LinkedHashMap<>();
    for (int round = 0; round < ROUNDS && cheapest(quotes).isEmpty(); round++) {
      if (round > 0) {
        ctx.createTimer(PAUSE).await();
      }
      List<Task<Integer>> asked =
          PROVIDERS.stream()
              .map(name -> QuoteRequest.of(order, name, mark.get()))
              .map(request -> ctx.callActivity(QUOTE, request, Integer.class))
              .toList();
      List<Integer> prices = ctx.allOf(asked).await();
      for (int i = 0; i < PROVIDERS.size(); i++) {
        quotes.put(PROVIDERS.get(i), prices.get(i));
      }
    }
    return quotes;
  }

  /** Returns the provider with the lowest price, the first by name if prices are equal. */
  private static Optional<String> cheapest(Map<String, Integer> quotes) {
    return PROVIDERS.stream().filter(name -> quotes.get(name) != null).min(Comparator.comparing(quotes::get));
  }

  /** Waits before the next try, and returns whether there is one. */
  private static boolean waits(WorkflowTaskRetryContext last) {
    int attempt = last.getLastAttemptNumber();
    if (attempt == PROVIDER_ATTEMPTS) {
      return false;
    }
    Duration wait = FIRST_WAIT.multipliedBy(1L << (attempt - 1));
    last.getWorkflowContext().createTimer(wait.compareTo(LONGEST_WAIT) < 0 ? wait : LONGEST_WAIT).await();
    return true;
  }

  private static WorkflowTaskOptions retried(int attempts, Duration wait) {
    return new WorkflowTaskOptions(
        WorkflowTaskRetryPolicy.newBuilder().setMaxNumberOfAttempts(attempts).setFirstRetryInterval(wait).build());
  }
}
