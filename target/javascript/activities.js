import { CANCEL, QUOTE, REGISTER, RELEASE, RESERVE } from "./workflow.js";

/** Return name -> body of each activity. Each changes one thing in the world, and can safely be executed again. */
export function activities(stock, providers, { releases }) {
  return {
    [RESERVE]: (_, order) => stock.reserve(order),
    [QUOTE]: (_, request) => providers.quote(request),
    [REGISTER]: (_, shipping) => providers.register(shipping),
    [CANCEL]: (_, shipping) => providers.cancel(shipping),
    [RELEASE]: (_, order) => (releases ? stock.release(order) : undefined),
  };
}
