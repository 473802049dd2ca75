package orders;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/** Defects that can be planted: the variable DEFECT names one. Without it there is none. */
final class Defects {
  static final String DOUBLE_SHIP = "double_ship";
  static final String SKIP_RELEASE = "skip_release";
  static final String LOST_UPDATE = "lost_update";
  static final String SDK_WAITS = "sdk_waits";

  private static final AtomicLong COUNTER = new AtomicLong();
  private static final Set<String> LETTERS = Set.of("abcdefghijklmnopqrstuvwxyz".split(""));

  private static final Map<String, Supplier<Object>> MARKS =
      Map.of(
          "random_number", () -> ThreadLocalRandom.current().nextInt(),
          "clock", () -> Instant.now().toString(),
          "set_order", () -> List.copyOf(LETTERS),
          "global_counter", COUNTER::incrementAndGet);

  private Defects() {}

  /** Returns what a defect takes into what the workflow orders, each time that its code is executed; mostly nothing. */
  static Supplier<Object> mark(String defect) {
    return MARKS.getOrDefault(defect, () -> null);
  }
}
