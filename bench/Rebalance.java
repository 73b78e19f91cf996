/**
 * The Java consumer's side of bench/rebalance.ts. Arguments: bootstrap servers, topic, group, assignor (range, cooperative), members, partitions. Members run
 * on threads of their own. After a whole run in a group of its own, which warms up, prints two times in milliseconds: from the first member's start until all partitions are assigned evenly, and from one
 * member's leaving until the others have all of them.
 */
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

public class Rebalance {
  static final class Member implements Runnable {
    final AtomicInteger owned = new AtomicInteger();
    final AtomicBoolean stop = new AtomicBoolean();
    final Thread thread = new Thread(this);
    final String[] args;

    Member(String[] args) {
      this.args = args;
    }

    public void run() {
      Properties properties = new Properties();
      properties.put("bootstrap.servers", args[0]);
      properties.put("group.id", args[2]);
      properties.put("heartbeat.interval.ms", "100");
      properties.put("enable.auto.commit", "false");
      properties.put("partition.assignment.strategy", args[3].equals("cooperative")
          ? "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
          : "org.apache.kafka.clients.consumer.RangeAssignor");
      properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
      properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
      try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
        consumer.subscribe(List.of(args[1]), new ConsumerRebalanceListener() {
          public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            owned.addAndGet(-partitions.size());
          }

          public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            owned.addAndGet(partitions.size());
          }
        });
        while (!stop.get()) consumer.poll(Duration.ofMillis(50));
      }
    }
  }

  static double settle(List<Member> members, int partitions, long start) throws InterruptedException {
    int least = partitions / members.size();
    while (true) {
      int sum = 0;
      boolean even = true;
      for (Member member : members) {
        int owned = member.owned.get();
        sum += owned;
        even &= owned >= least && owned <= least + 1;
      }
      if (even && sum == partitions) return (System.nanoTime() - start) / 1e6;
      Thread.sleep(1);
    }
  }

  static String once(String[] args) throws InterruptedException {
    int partitions = Integer.parseInt(args[5]);
    List<Member> members = new ArrayList<>();
    for (int index = 0; index < Integer.parseInt(args[4]); index++) members.add(new Member(args));
    long start = System.nanoTime();
    for (Member member : members) member.thread.start();
    double joined = settle(members, partitions, start);
    Member leaving = members.remove(0);
    long left = System.nanoTime();
    leaving.stop.set(true);
    double settled = settle(members, partitions, left);
    for (Member member : members) member.stop.set(true);
    leaving.thread.join();
    for (Member member : members) member.thread.join();
    return joined + " " + settled;
  }

  public static void main(String[] args) throws InterruptedException {
    String[] warm = args.clone();
    warm[2] += "-warm";
    once(warm);
    System.out.println(once(args));
  }
}
