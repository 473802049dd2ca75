package orders;

import io.dapr.client.DaprClient;
import io.dapr.client.DaprClientBuilder;
import io.dapr.client.resiliency.ResiliencyOptions;
import io.dapr.workflows.runtime.WorkflowRuntime;
import io.dapr.workflows.runtime.WorkflowRuntimeBuilder;
import java.time.Duration;

/** The worker of the order workflow, on Dapr's Java SDK. Its sidecar starts the orders: it has no route of its own. */
public final class App {
  private App() {}

  public static void main(String[] args) {
    String defect = System.getenv().getOrDefault("DEFECT", "");

    DaprClient client =
        new DaprClientBuilder()
            .withResiliencyOptions(new ResiliencyOptions().setTimeout(Duration.ofSeconds(10)))
            .build();
    Stock stock = new Stock(client, "statestore", !defect.equals(Defects.LOST_UPDATE));
    Providers providers = new Providers(System.getenv("PROVIDER_URL"), !defect.equals(Defects.DOUBLE_SHIP));
    Activities activities = new Activities(stock, providers, !defect.equals(Defects.SKIP_RELEASE));

    WorkflowRuntime runtime =
        new WorkflowRuntimeBuilder()
            .registerWorkflow(new OrderV1(Defects.mark(defect), defect.equals(Defects.SDK_WAITS)))
            .registerActivity(OrderV1.RESERVE, activities::reserveStock)
            .registerActivity(OrderV1.QUOTE, activities::quote)
            .registerActivity(OrderV1.REGISTER, activities::registerShipment)
            .registerActivity(OrderV1.CANCEL, activities::cancelShipment)
            .registerActivity(OrderV1.RELEASE, activities::releaseStock)
            .build();
    runtime.start();
  }
}
