package orders;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The logistics providers, over HTTP. */
final class Providers {
  private static final Duration QUOTE_TIMEOUT = Duration.ofSeconds(1);
  private static final Duration TIMEOUT = Duration.ofSeconds(3);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String url;
  private final boolean sameKey;

  /** {@code sameKey = false} plants the defect double_ship: each try to register takes a new idempotency key. */
  Providers(String url, boolean sameKey) {
    this.url = url;
    this.sameKey = sameKey;
  }

  /** Returns the price in cents that a provider asks for; null if it gives none in time. */
  Integer quote(QuoteRequest order) {
    String path = "%s/quote?order_id=%s&quantity=%d".formatted(order.provider(), order.id(), order.quantity());
    try {
      HttpResponse<String> answer = call(request(path).GET(), QUOTE_TIMEOUT);
      return answer.statusCode() == 200 ? read(answer).path("price").intValue() : null;
    } catch (ProviderException e) {
      return null;
    }
  }

  /** Registers a shipment and returns its id, the same for every try; null if the provider refuses for good. */
  String register(Shipping order) {
    String key = order.id() + "/ship" + (sameKey ? "" : "/" + UUID.randomUUID());
    HttpRequest.Builder request =
        request(order.provider() + "/shipments")
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key)
            .POST(BodyPublishers.ofString(write(order)));
    HttpResponse<String> answer = call(request, TIMEOUT);
    if (answer.statusCode() == 410 || answer.statusCode() == 422) {
      return null;
    }
    return read(done(answer)).path("shipment").textValue();
  }

  /** Cancels an order's shipment, whether or not it was committed. From then on it cannot be. */
  void cancel(Shipping order) {
    done(call(request(order.provider() + "/shipments/" + order.id()).DELETE(), TIMEOUT));
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(url + "/providers/" + path));
  }

  /** Sends a request. The timeout is for the whole answer; that of HttpRequest would be for its headers alone. */
  private HttpResponse<String> call(HttpRequest.Builder request, Duration timeout) {
    Future<HttpResponse<String>> answer = http.sendAsync(request.build(), BodyHandlers.ofString());
    try {
      return answer.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw new ProviderException("the provider cannot be reached: " + e.getCause());
    } catch (TimeoutException e) {
      throw new ProviderException("the provider gave no answer in " + timeout);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ProviderException("interrupted");
    } finally {
      answer.cancel(true);
    }
  }

  private static HttpResponse<String> done(HttpResponse<String> answer) {
    if (answer.statusCode() != 200) {
      throw new ProviderException("the provider answered " + answer.statusCode());
    }
    return answer;
  }

  private static JsonNode read(HttpResponse<String> answer) {
    try {
      return JSON.readTree(answer.body());
    } catch (JsonProcessingException e) {
      throw new ProviderException("the provider answered no JSON: " + e.getOriginalMessage());
    }
  }

  private static String write(Shipping order) {
    try {
      return JSON.writeValueAsString(order);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
  }

  /** The provider did not do what it was asked for, or it is not known whether it did. */
  static final class ProviderException extends RuntimeException {
    ProviderException(String message) {
      super(message);
    }
  }
}
