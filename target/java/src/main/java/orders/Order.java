package orders;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What a client asks for. The id is also that of the workflow instance. */
record Order(@JsonProperty("order_id") String id, String kind, String sku, int quantity) {}
