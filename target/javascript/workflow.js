// The order workflow. Its code only decides, and is deterministic; everything that touches the world is an activity.

export const RESERVE = "reserve_stock_v1";
export const QUOTE = "quote_v1";
export const REGISTER = "register_shipment_v1";
export const CANCEL = "cancel_shipment_v1";
export const RELEASE = "release_stock_v1";

const PROVIDERS = ["heron", "kestrel", "swift"];
const ROUNDS = 10;
const PAUSE = 1;

// Waits are in seconds. The store may be away for a while, so it is tried again at a constant interval.
const STORE = { attempts: 60, first: 0.5 };
// A provider in trouble gets more and more time: the waits are 0.3, 0.6, 1.2 and 2 s.
const PROVIDER = { attempts: 5, first: 0.3, backoff: 2, longest: 2 };
// If a compensation were given up, it would be left half done.
const COMPENSATION = { attempts: 600, first: 1 };

/**
 * Return the workflow: reserve stock, ask all providers for a price at once, ship with the cheapest. What was done is
 * compensated if the order cannot be shipped. A `mark` makes the code nondeterministic.
 */
export function orderV1(mark) {
  return async function* (ctx, order) {
    let reserved;
    try {
      reserved = yield* retried(ctx, RESERVE, order, STORE);
    } catch {
      // A try whose answer was lost may still have reserved the stock.
      yield* retried(ctx, RELEASE, order, COMPENSATION);
      return result(order, "compensated", { reason: "given up on the stock" });
    }
    if (!reserved) {
      return result(order, "rejected", { reason: "insufficient stock" });
    }

    let quotes = {};
    for (let round = 0; round < ROUNDS && !cheapest(quotes); round++) {
      if (round > 0) {
        yield ctx.createTimer(PAUSE);
      }
      const asked = PROVIDERS.map((provider) =>
        ctx.callActivity(QUOTE, { ...order, provider, ...(mark && { mark: mark() }) }),
      );
      const prices = yield ctx.whenAll(asked);
      quotes = Object.fromEntries(PROVIDERS.map((provider, index) => [provider, prices[index] ?? null]));
    }
    const provider = cheapest(quotes);
    if (!provider) {
      yield* retried(ctx, RELEASE, order, COMPENSATION);
      return result(order, "compensated", { quotes, reason: "no provider answered" });
    }

    const shipping = { ...order, provider, price: quotes[provider] };
    let reason = "refused by the provider";
    try {
      const shipment = yield* retried(ctx, REGISTER, shipping, PROVIDER);
      if (shipment) {
        return result(order, "completed", { quotes, provider, shipment });
      }
    } catch {
      reason = "given up on the provider";
    }

    // The shipment may have been committed although its answer was lost. It is cancelled before the stock is released:
    // otherwise it could leave when its stock is already reserved for another order.
    yield* retried(ctx, CANCEL, shipping, COMPENSATION);
    yield* retried(ctx, RELEASE, order, COMPENSATION);
    return result(order, "compensated", { quotes, provider, reason });
  };
}

/** Call an activity until it succeeds: this SDK has no retry policies. Throws its last error. */
async function* retried(ctx, activity, input, { attempts, first, backoff = 1, longest = Infinity }) {
  for (let attempt = 1; ; attempt++) {
    try {
      return yield ctx.callActivity(activity, input);
    } catch (error) {
      if (attempt === attempts) {
        throw error;
      }
    }
    yield ctx.createTimer(Math.min(first * backoff ** (attempt - 1), longest));
  }
}

/** Return the provider with the lowest price; the first by name if prices are equal; undefined if there is none. */
function cheapest(quotes) {
  const answered = PROVIDERS.filter((provider) => quotes[provider] != null);
  return answered.sort((one, other) => quotes[one] - quotes[other])[0];
}

function result({ order_id, sku, quantity }, outcome, { quotes = {}, provider = null, shipment = null, reason = null }) {
  return { outcome, order_id, sku, quantity, quotes, provider, shipment, reason };
}
