/**
 * Consumes a topic to its end with Java's consumer and prints every metric as "group<TAB>name<TAB>topic<TAB>partition<TAB>value".
 * Arguments: bootstrap servers, group, topic, number of records, records a poll.
 */
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;

public class ConsumerMetricsPrinter {
  public static void main(String[] args) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("group.id", args[1]);
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("max.poll.records", args[4]);
    properties.put("heartbeat.interval.ms", "100");
    properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
      consumer.subscribe(List.of(args[2]));
      long wanted = Long.parseLong(args[3]);
      for (long count = 0; count < wanted; ) count += consumer.poll(Duration.ofMillis(100)).count();
      consumer.commitSync();
      consumer.commitSync();
      for (int round = 0; round < 10; round++) consumer.poll(Duration.ofMillis(50));
      consumer.metrics().forEach((name, metric) -> {
        System.out.println(name.group() + "\t" + name.name() + "\t" + name.tags().getOrDefault("topic", "") + "\t"
            + name.tags().getOrDefault("partition", "") + "\t" + metric.metricValue());
      });
    }
  }
}
