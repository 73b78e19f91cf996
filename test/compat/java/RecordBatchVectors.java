import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Writes test/protocol/vectors/record-batches/java.json: record batches as Apache Kafka's own classes build them, with what those classes
 * read out of them again.
 *
 *   java -cp "$HOME/.cache/sluice/kafka-4.3.1/libs/*" test/compat/java/RecordBatchVectors.java test/protocol/vectors/record-batches/java.json
 */
public class RecordBatchVectors {
    private static final List<String> cases = new ArrayList<>();
    private static final Map<String, String> seen = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        for (CompressionType type : CompressionType.values()) {
            Compression compression = Compression.of(type).build();
            add(type.name + ": keys, values, nulls and headers", MemoryRecords.withRecords(100, compression, 7, mixed()));
            // More than one block of snappy (32 KiB) and of LZ4 (64 KiB).
            if (type != CompressionType.NONE) add(type.name + ": many records", MemoryRecords.withRecords(5, compression, 3, many()));
        }
        add("lz4: bytes that cannot be compressed", MemoryRecords.withRecords(0, Compression.of(CompressionType.LZ4).build(), 0, noise()));
        add("snappy: bytes that cannot be compressed", MemoryRecords.withRecords(0, Compression.of(CompressionType.SNAPPY).build(), 0, noise()));
        add("idempotent", MemoryRecords.withIdempotentRecords(0L, Compression.NONE, 1234567890123L, (short) 3, Integer.MAX_VALUE - 1, 9, mixed()));
        add("transactional", MemoryRecords.withTransactionalRecords(0L, Compression.of(CompressionType.ZSTD).build(), 42L, (short) 1, 0, 9, mixed()));
        add("control: commit", MemoryRecords.withEndTransactionMarker(77L, 1700000000123L, 5, 42L, (short) 1, new EndTransactionMarker(ControlRecordType.COMMIT, 11)));
        add("control: abort", MemoryRecords.withEndTransactionMarker(78L, 1700000000124L, 5, 42L, (short) 2, new EndTransactionMarker(ControlRecordType.ABORT, 12)));
        add("log append time", MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V2, 10L, Compression.NONE, TimestampType.LOG_APPEND_TIME, mixed()));
        add("large offset", MemoryRecords.withRecords(9007199254740000L, Compression.NONE, 1, mixed()));
        add("compacted: gaps in the offsets", compacted());
        add("timestamps far apart, backwards too", MemoryRecords.withRecords(0L, Compression.NONE, 0,
            new SimpleRecord(1_700_000_000_000L, null, "now".getBytes()),
            new SimpleRecord(0L, null, "1970".getBytes()),
            new SimpleRecord(4_000_000_000_000L, null, "2096".getBytes())));
        add("empty, left by compaction", empty());
        for (byte magic : new byte[] {0, 1}) add("magic " + magic, MemoryRecords.withRecords(magic, 0L, Compression.NONE, TimestampType.CREATE_TIME, new SimpleRecord(1L, "k".getBytes(), "v".getBytes())));

        try (PrintWriter out = new PrintWriter(arguments[0], "UTF-8")) {
            out.print("{\n\"origin\": \"Apache Kafka " + AppInfoParser.getVersion() + ", MemoryRecords, written by test/compat/java/RecordBatchVectors.java\",\n\"cases\": [\n");
            out.print(String.join(",\n", cases));
            out.print("\n]\n}\n");
        }
    }

    private static SimpleRecord[] mixed() {
        long time = 1_700_000_000_000L;
        return new SimpleRecord[] {
            new SimpleRecord(time, "key".getBytes(), "value".getBytes()),
            new SimpleRecord(time + 1, null, "no key".getBytes()),
            new SimpleRecord(time + 100, "tombstone".getBytes(), null),
            new SimpleRecord(time + 100_000, new byte[0], new byte[0]),
            new SimpleRecord(time - 5, "ü€𝄞".getBytes(StandardCharsets.UTF_8), "x".repeat(300).getBytes(), new Header[] {
                new RecordHeader("one", "1".getBytes()), new RecordHeader("one", null), new RecordHeader("ü€𝄞", new byte[0])}),
        };
    }

    private static SimpleRecord[] many() {
        SimpleRecord[] records = new SimpleRecord[1200];
        for (int index = 0; index < records.length; index++) {
            String value = "{\"id\":" + index + ",\"name\":\"" + Integer.toString(index * 7919, 36) + "\",\"pad\":\"" + "-".repeat(index % 61) + "abcabcabc".repeat(index % 7) + "\"}";
            records[index] = new SimpleRecord(1_700_000_000_000L + index, ("key-" + index % 50).getBytes(), value.getBytes());
        }
        return records;
    }

    /** The same bytes at each run: those of a linear congruential generator. */
    private static SimpleRecord[] noise() {
        byte[] bytes = new byte[33_000];
        int state = 1;
        for (int index = 0; index < bytes.length; index++) {
            state = state * 1664525 + 1013904223;
            bytes[index] = (byte) (state >>> 24);
        }
        return new SimpleRecord[] {new SimpleRecord(1L, null, bytes)};
    }

    private static MemoryRecords compacted() {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), Compression.of(CompressionType.GZIP).build(), TimestampType.CREATE_TIME, 1000L);
        builder.appendWithOffset(1003L, new SimpleRecord(5L, "a".getBytes(), "1".getBytes()));
        builder.appendWithOffset(1500L, new SimpleRecord(6L, "b".getBytes(), "2".getBytes()));
        builder.appendWithOffset(9999L, new SimpleRecord(7L, "c".getBytes(), "3".getBytes()));
        builder.overrideLastOffset(20_000L);
        return builder.build();
    }

    private static MemoryRecords empty() {
        ByteBuffer buffer = ByteBuffer.allocate(RecordBatch.MAGIC_VALUE_V2 + 100);
        org.apache.kafka.common.record.internal.DefaultRecordBatch.writeEmptyHeader(buffer, RecordBatch.MAGIC_VALUE_V2, 42L, (short) 1, 7, 300L, 309L, 4, TimestampType.CREATE_TIME, 1700000000000L, true, false);
        buffer.flip();
        return MemoryRecords.readableRecords(buffer);
    }

    private static void add(String name, MemoryRecords memory) {
        byte[] bytes = new byte[memory.sizeInBytes()];
        memory.buffer().duplicate().get(bytes);
        RecordBatch batch = memory.batches().iterator().next();
        List<String> records = new ArrayList<>();
        for (Record record : batch) {
            List<String> headers = new ArrayList<>();
            for (Header header : record.headers()) headers.add("[\"" + header.key() + "\"," + hex(header.value() == null ? null : ByteBuffer.wrap(header.value())) + "]");
            records.add("{\"offset\":" + record.offset() + ",\"timestamp\":" + record.timestamp() + ",\"key\":" + hex(record.key()) + ",\"value\":" + hex(record.value())
                + ",\"headers\":[" + String.join(",", headers) + "]}");
        }
        String header = "{\"baseOffset\":" + batch.baseOffset() + ",\"lastOffset\":" + batch.lastOffset() + ",\"nextOffset\":" + batch.nextOffset()
            + ",\"partitionLeaderEpoch\":" + batch.partitionLeaderEpoch() + ",\"compression\":\"" + batch.compressionType().name
            + "\",\"timestampType\":\"" + batch.timestampType().name + "\",\"isTransactional\":" + batch.isTransactional() + ",\"isControl\":" + batch.isControlBatch()
            + ",\"maxTimestamp\":" + batch.maxTimestamp() + ",\"producerId\":" + batch.producerId() + ",\"producerEpoch\":" + batch.producerEpoch()
            + ",\"baseSequence\":" + batch.baseSequence() + ",\"lastSequence\":" + batch.lastSequence() + ",\"count\":" + (batch.magic() == 2 ? batch.countOrNull() : Integer.valueOf(1))
            + ",\"sizeInBytes\":" + batch.sizeInBytes() + ",\"crc\":" + (batch.magic() == 2 ? batch.checksum() : 0) + "}";
        cases.add("{\"name\":\"" + name + "\",\"base64\":\"" + Base64.getEncoder().encodeToString(bytes) + "\",\"header\":" + header + ",\"records\":" + once(name, "[" + String.join(",", records) + "]") + "}");
    }

    /** Records that an earlier case has too are said once: later cases name that case. */
    private static String once(String name, String records) {
        String earlier = seen.putIfAbsent(records, name);
        return earlier == null ? records : "\"" + earlier + "\"";
    }

    private static String hex(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return "\"" + HexFormat.of().formatHex(bytes) + "\"";
    }
}
