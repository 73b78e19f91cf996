import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerConfig;

/** Tries each argument ("acks=1;retries=0") as a producer's configuration: prints `ok <idempotence> <delivery.timeout.ms>` or `refused`. */
public class ProducerRules {
  public static void main(String[] arguments) {
    for (String argument : arguments) {
      Map<String, Object> properties = new HashMap<>();
      properties.put("bootstrap.servers", "127.0.0.1:9092");
      properties.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
      properties.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
      for (String pair : argument.split(";")) {
        if (pair.isEmpty()) continue;
        properties.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
      }
      try {
        ProducerConfig config = new ProducerConfig(properties);
        System.out.println("ok " + config.getBoolean("enable.idempotence"));
      } catch (org.apache.kafka.common.config.ConfigException error) {
        System.out.println("refused");
      }
    }
  }
}
