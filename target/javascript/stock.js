// The stock of every SKU, as documents in a state store of Dapr, saved with their etags.
import { setTimeout as sleep } from "node:timers/promises";

import { StateConcurrencyEnum, StateConsistencyEnum } from "@dapr/dapr";

const SAVES = 40;
const ABORTED = 10; // the gRPC status of a save whose etag is not the current one
const FIRST_WRITE = {
  concurrency: StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE,
  consistency: StateConsistencyEnum.CONSISTENCY_STRONG,
};

export class Stock {
  #client;
  #store;
  #guarded;

  /** `guarded: false` plants the defect lost_update. */
  constructor(client, store, { guarded }) {
    this.#client = client;
    this.#store = store;
    this.#guarded = guarded;
  }

  /** Reserve an order's quantity, once, however often this is called; return false if there is not enough. */
  async reserve({ order_id, sku, quantity }) {
    return this.#change(sku, (stock) => {
      if (find(stock, order_id, "reserve") || stock.closed.includes(order_id)) {
        return true;
      }
      if (stock.available < quantity) {
        return false;
      }
      move(stock, order_id, "reserve", -quantity);
      return true;
    });
  }

  /** Release what was reserved for an order, once. If nothing was, nothing can be reserved for it any more. */
  async release({ order_id, sku }) {
    await this.#change(sku, (stock) => {
      if (find(stock, order_id, "release") || stock.closed.includes(order_id)) {
        return;
      }
      const reserved = find(stock, order_id, "reserve");
      if (reserved) {
        move(stock, order_id, "release", reserved.attributes.quantity);
      } else {
        stock.closed.push(order_id);
      }
    });
  }

  /** Read a document, change and save it; if somebody else saved it meanwhile, again. Return what `change` returns. */
  async #change(sku, change) {
    const key = `stock-${sku}`;
    for (let save = 0; save < SAVES; save++) {
      const [{ data, etag }] = await this.#client.state.getBulk(this.#store, [key]); // `get` gives no etag
      const stock = data || created(sku);
      const before = stock.movements.length + stock.closed.length;
      const answer = change(stock);
      if (stock.movements.length + stock.closed.length === before) {
        return answer;
      }
      if (!this.#guarded) {
        await sleep(250);
        await this.#client.state.save(this.#store, [{ key, value: stock }]);
        return answer;
      }
      try {
        await this.#client.state.save(this.#store, [{ key, value: stock, etag, options: FIRST_WRITE }]);
        return answer;
      } catch (error) {
        if (error.code !== ABORTED) {
          throw error;
        }
        await sleep(2 + 28 * Math.random());
      }
    }
    throw new Error(`others saved ${key} first, ${SAVES} times`);
  }
}

function created(sku) {
  const units = sku.startsWith("scarce-") ? 3 : 1_000_000;
  return { sku, initial: units, available: units, movements: [], closed: [] };
}

function find(stock, orderId, effect) {
  return stock.movements.find((movement) => movement.instance_id === orderId && movement.effect === effect);
}

function move(stock, orderId, effect, units) {
  stock.available += units;
  stock.movements.push({
    instance_id: orderId,
    effect,
    key: `${orderId}/${effect}`,
    at_ns: now(),
    attributes: { quantity: Math.abs(units), available: stock.available, initial: stock.initial },
  });
}

/** Return the time in nanoseconds since the epoch. `Date.now()` gives milliseconds alone. */
function now() {
  return Math.round((performance.timeOrigin + performance.now()) * 1e6);
}
