// The worker of the order workflow, on Dapr's JavaScript SDK. Its sidecar starts the orders: it has no route of its own.
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

// The SDK does not tell the sidecar its version, as other SDKs do.
const runtime = new WorkflowRuntime({ grpcOptions: { "grpc.primary_user_agent": `dapr-js-sdk/${SDK_VERSION}` } });
runtime.registerWorkflowWithName("order_v1", orderV1(MARKS[defect]));
for (const [name, body] of Object.entries(activities(stock, providers, { releases: defect !== SKIP_RELEASE }))) {
  runtime.registerActivityWithName(name, body);
}
await runtime.start();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await runtime.stop();
    process.exit(0);
  });
}
