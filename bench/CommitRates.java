/**
 * The Java consumer's side of bench/commit.ts. Arguments: bootstrap servers, topic, group, strategy (record, poll, async), records. Prints records a
 * second, from the first poll that returned something on.
 */
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

public class CommitRates {
  public static void main(String[] args) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("group.id", args[2]);
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("max.poll.records", "100");
    properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    TopicPartition partition = new TopicPartition(args[1], 0);
    long wanted = Long.parseLong(args[4]);
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
      consumer.subscribe(List.of(args[1]));
      // Warm: joined, and the code compiled by a tenth of the records.
      long count = 0;
      long start = 0;
      long warm = wanted / 10;
      while (count < wanted + warm) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(1000));
        for (ConsumerRecord<byte[], byte[]> record : records) {
          count++;
          if (count == warm) start = System.nanoTime();
          if (args[3].equals("record")) consumer.commitSync(Map.of(partition, new OffsetAndMetadata(record.offset() + 1)));
          if (count == wanted + warm) break;
        }
        if (records.isEmpty()) continue;
        if (args[3].equals("poll")) consumer.commitSync();
        if (args[3].equals("async")) consumer.commitAsync();
      }
      if (args[3].equals("async")) consumer.commitSync();
      System.out.println(wanted / ((System.nanoTime() - start) / 1e9));
    }
  }
}
