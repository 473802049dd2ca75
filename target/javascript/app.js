// The worker of the order workflow, on Dapr's JavaScript SDK. Its sidecar starts the orders: it has no route of its own.
import { setTimeout as sleep } from "node:timers/promises";

import { CommunicationProtocolEnum, DaprClient, WorkflowRuntime } from "@dapr/dapr";
import { SDK_VERSION } from "@dapr/dapr/version.js";

import { activities } from "./activities.js";
import { DOUBLE_SHIP, LOST_UPDATE, MARKS, SKIP_RELEASE } from "./defects.js";
import { Providers } from "./providers.js";
import { Stock } from "./stock.js";
import { orderV1 } from "./workflow.js";

const defect = process.env.DEFECT;
const client = new DaprClient({ communicationProtocol: CommunicationProtocolEnum.GRPC });
const stock = new Stock(client, "statestore", { guarded: defect !== LOST_UPDATE });
const providers = new Providers(process.env.PROVIDER_URL, { sameKey: defect !== DOUBLE_SHIP });
const bodies = activities(stock, providers, { releases: defect !== SKIP_RELEASE });

async function work() {
  // The SDK does not tell the sidecar its version, as other SDKs do.
  const runtime = new WorkflowRuntime({ grpcOptions: { "grpc.primary_user_agent": `dapr-js-sdk/${SDK_VERSION}` } });
  runtime.registerWorkflowWithName("order_v1", orderV1(MARKS[defect]));
  for (const [name, body] of Object.entries(bodies)) {
    runtime.registerActivityWithName(name, body);
  }
  await runtime.start();
}

// The SDK's worker (3.18) gives up for good when its first stream breaks. Then nothing is left to do, so this process
// would end: it begins with a new worker instead.
process.on("beforeExit", async () => {
  await sleep(1000);
  await work();
});
await work();
