import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;

/** Prints Java's client properties, one a line: client, name, type, default, validator, separated by tabs. */
public class ConfigDefinitions {
  static void print(String client, ConfigDef definition) {
    for (Map.Entry<String, ConfigDef.ConfigKey> entry : new TreeMap<>(definition.configKeys()).entrySet()) {
      ConfigDef.ConfigKey key = entry.getValue();
      Object value = key.hasDefault() ? key.defaultValue : "(required)";
      if (value instanceof Class) value = ((Class<?>) value).getName();
      if (value instanceof java.util.List) value = String.join(",", ((java.util.List<?>) value).stream().map(one -> one instanceof Class ? ((Class<?>) one).getName() : String.valueOf(one)).toList());
      System.out.println(String.join("\t", client, key.name, key.type.toString(), String.valueOf(value), String.valueOf(key.validator)));
    }
  }

  public static void main(String[] arguments) {
    print("consumer", ConsumerConfig.configDef());
    print("producer", ProducerConfig.configDef());
    print("admin", AdminClientConfig.configDef());
  }
}
