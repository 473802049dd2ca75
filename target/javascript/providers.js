// The logistics providers, over HTTP.
import { randomUUID } from "node:crypto";

const QUOTE_TIMEOUT = 1000;
const TIMEOUT = 3000;
const REFUSALS = [410, 422];

export class Providers {
  #url;
  #sameKey;

  /** `sameKey: false` plants the defect double_ship: each try to register a shipment takes a new idempotency key. */
  constructor(url, { sameKey }) {
    this.#url = url;
    this.#sameKey = sameKey;
  }

  /** Return the price in cents that a provider asks for; null if it gives none in time. */
  async quote({ provider, order_id, quantity }) {
    const query = new URLSearchParams({ order_id, quantity });
    try {
      const answer = await this.#call(`${provider}/quote?${query}`, {}, QUOTE_TIMEOUT);
      return answer.ok ? (await answer.json()).price : null;
    } catch {
      return null;
    }
  }

  /** Register a shipment and return its id, the same for every try; null if the provider refuses for good. */
  async register({ provider, order_id, kind, quantity, price }) {
    const key = `${order_id}/ship${this.#sameKey ? "" : `/${randomUUID()}`}`;
    const answer = await this.#call(`${provider}/shipments`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify({ order_id, kind, quantity, price }),
    });
    if (REFUSALS.includes(answer.status)) {
      return null;
    }
    return (await done(answer).json()).shipment;
  }

  /** Cancel an order's shipment, whether or not it was committed. From then on it cannot be. */
  async cancel({ provider, order_id }) {
    done(await this.#call(`${provider}/shipments/${order_id}`, { method: "DELETE" }));
  }

  #call(path, request, timeout = TIMEOUT) {
    return fetch(`${this.#url}/providers/${path}`, { ...request, signal: AbortSignal.timeout(timeout) });
  }
}

function done(answer) {
  if (!answer.ok) {
    throw new Error(`the provider answered ${answer.status}`);
  }
  return answer;
}
