/*
 * Prints the vectors of assignments.jsonl: what the assignors of Apache Kafka's Java client make of seeded random groups.
 *
 *     java -cp "kafka-clients-4.3.1.jar:slf4j-api-*.jar" Assignments.java > assignments.jsonl
 *
 * One line a case: partition counts, members (with what they own and when, for the sticky ones), and the result by assignor.
 */
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.common.*;

public class Assignments {
    static final Random random = new Random(20260424L);

    public static void main(String[] args) {
        for (int number = 0; number < 120; number++) print(number);
    }

    static void print(int number) {
        boolean equal = number % 2 == 0;
        int topics = 1 + random.nextInt(4), members = 1 + random.nextInt(6);
        TreeMap<String, Integer> counts = new TreeMap<>();
        for (int t = 0; t < topics; t++) counts.put("topic-" + (char) ('a' + t), number % 3 == 0 ? 6 : random.nextInt(9));
        List<PartitionInfo> infos = new ArrayList<>();
        Node node = new Node(0, "localhost", 9092);
        counts.forEach((topic, count) -> {
            for (int p = 0; p < count; p++) infos.add(new PartitionInfo(topic, p, node, new Node[] {node}, new Node[] {node}));
        });
        Cluster cluster = new Cluster("c", List.of(node), infos, Set.of(), Set.of());
        List<TopicPartition> free = new ArrayList<>();
        for (PartitionInfo info : infos) free.add(new TopicPartition(info.topic(), info.partition()));
        Collections.shuffle(free, random);

        TreeMap<String, List<String>> subscribed = new TreeMap<>();
        TreeMap<String, String> instances = new TreeMap<>();
        TreeMap<String, List<TopicPartition>> owned = new TreeMap<>();
        TreeMap<String, Integer> generations = new TreeMap<>();
        for (int m = 0; m < members; m++) {
            String id = "member-" + Integer.toHexString(random.nextInt(1 << 16)) + "-" + m;
            List<String> names = new ArrayList<>(counts.keySet());
            if (!equal) names.removeIf(name -> random.nextInt(3) == 0);
            if (names.isEmpty()) names.add("topic-a");
            Collections.shuffle(names, random);
            subscribed.put(id, names);
            if (random.nextInt(4) == 0) instances.put(id, "instance-" + random.nextInt(100) + "-" + m);
            List<TopicPartition> mine = new ArrayList<>();
            int wanted = number < 20 ? 0 : random.nextInt(8);
            for (Iterator<TopicPartition> all = free.iterator(); all.hasNext() && mine.size() < wanted;) {
                TopicPartition next = all.next();
                if (names.contains(next.topic())) { mine.add(next); all.remove(); }
            }
            owned.put(id, mine);
            generations.put(id, random.nextInt(5) == 0 ? 6 : 7);
        }

        StringBuilder line = new StringBuilder("{\"counts\":{");
        counts.forEach((topic, count) -> line.append(line.charAt(line.length() - 1) == '{' ? "" : ",").append(quote(topic)).append(":").append(count));
        line.append("},\"members\":[");
        for (String id : subscribed.keySet()) {
            if (line.charAt(line.length() - 1) == '}') line.append(",");
            line.append("{\"memberId\":").append(quote(id)).append(",\"groupInstanceId\":").append(instances.containsKey(id) ? quote(instances.get(id)) : "null");
            line.append(",\"topics\":[");
            for (String topic : subscribed.get(id)) line.append(line.charAt(line.length() - 1) == '[' ? "" : ",").append(quote(topic));
            line.append("],\"owned\":").append(list(owned.get(id))).append(",\"generationId\":").append(generations.get(id));
            line.append(",\"stickyUserData\":\"").append(hex(stickyUserData(owned.get(id), generations.get(id)))).append("\"}");
        }
        line.append("],\"assignments\":{");
        for (ConsumerPartitionAssignor assignor : List.of(new RangeAssignor(), new RoundRobinAssignor(), new StickyAssignor(), new CooperativeStickyAssignor())) {
            Map<String, Subscription> group = new HashMap<>();
            for (String id : subscribed.keySet()) {
                boolean cooperative = assignor.name().startsWith("coop");
                ByteBuffer data = assignor.name().equals("sticky") ? stickyUserData(owned.get(id), generations.get(id)) : null;
                Subscription one = new Subscription(subscribed.get(id), data, cooperative ? owned.get(id) : List.of(), cooperative ? generations.get(id) : -1, Optional.empty());
                if (instances.containsKey(id)) one.setGroupInstanceId(Optional.of(instances.get(id)));
                group.put(id, one);
            }
            Map<String, Assignment> result = assignor.assign(cluster, new GroupSubscription(group)).groupAssignment();
            if (line.charAt(line.length() - 1) == '}') line.append(",");
            line.append(quote(assignor.name())).append(":{");
            for (String id : new TreeSet<>(result.keySet())) {
                if (line.charAt(line.length() - 1) == ']') line.append(",");
                line.append(quote(id)).append(":").append(list(result.get(id).partitions()));
            }
            line.append("}");
        }
        System.out.println(line.append("}}"));
    }

    /** By the assignor itself: it is told what it was assigned, then asked what it would send. */
    static ByteBuffer stickyUserData(List<TopicPartition> owned, int generation) {
        StickyAssignor assignor = new StickyAssignor();
        assignor.onAssignment(new Assignment(owned), new ConsumerGroupMetadata("g", generation, "m", Optional.empty()));
        return assignor.subscriptionUserData(Set.of());
    }

    static String hex(ByteBuffer data) {
        return HexFormat.of().formatHex(data.array(), data.arrayOffset(), data.arrayOffset() + data.limit());
    }

    static String list(List<TopicPartition> partitions) {
        StringBuilder text = new StringBuilder("[");
        for (TopicPartition one : partitions) text.append(text.length() == 1 ? "" : ",").append(quote(one.topic() + ":" + one.partition()));
        return text.append("]").toString();
    }

    static String quote(String text) {
        return '"' + text + '"';
    }
}
