// Commits one transaction and aborts another, and takes along a consumer's offsets: what Java's own client does with a transaction.
// Arguments: bootstrap servers, input topic, output topic, group.
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;

public class TransactionalProducer {
  public static void main(String[] args) throws Exception {
    String servers = args[0], from = args[1], to = args[2], group = args[3];
    KafkaProducer<String, String> producer = producer(servers);
    producer.initTransactions();
    producer.beginTransaction();
    for (int i = 0; i < 100; i++) producer.send(new ProducerRecord<>(to, "aborted " + i));
    producer.flush();
    producer.abortTransaction();

    try (KafkaConsumer<String, String> consumer = consumer(servers, group)) {
      consumer.subscribe(List.of(from));
      int moved = 0;
      while (moved < 100) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofSeconds(1));
        if (records.isEmpty()) continue;
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) {
          producer.send(new ProducerRecord<>(to, "moved " + record.value()));
          offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
          moved++;
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        producer.commitTransaction();
      }
      System.out.println("moved " + moved);
      System.out.println("committed " + consumer.committed(Set.of(new TopicPartition(from, 0))).values().iterator().next().offset());
    }

    // A second one with the same id fences the first.
    KafkaProducer<String, String> second = producer(servers);
    second.initTransactions();
    producer.beginTransaction();
    try {
      producer.send(new ProducerRecord<>(to, "fenced")).get();
      producer.commitTransaction();
      System.out.println("not fenced");
    } catch (Exception e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      boolean fenced = cause instanceof ProducerFencedException || cause instanceof InvalidProducerEpochException;
      System.out.println(fenced ? "fenced" : "failed with " + e);
    }
    second.close();
    producer.close(Duration.ZERO);
  }

  static KafkaProducer<String, String> producer(String servers) {
    Properties p = new Properties();
    p.put("bootstrap.servers", servers);
    p.put("transactional.id", "mover");
    p.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    p.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    return new KafkaProducer<>(p);
  }

  static KafkaConsumer<String, String> consumer(String servers, String group) {
    Properties p = new Properties();
    p.put("bootstrap.servers", servers);
    p.put("group.id", group);
    p.put("enable.auto.commit", "false");
    p.put("auto.offset.reset", "earliest");
    p.put("isolation.level", "read_committed");
    p.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    p.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    return new KafkaConsumer<>(p);
  }
}
