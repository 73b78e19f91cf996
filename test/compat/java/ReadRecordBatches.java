import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;

/**
 * Reads each file that is named as record batches, as a Kafka consumer does (CRC checked), and prints a line a record:
 * offset, timestamp, key, value and headers, separated by tabs.
 */
public class ReadRecordBatches {
    public static void main(String[] arguments) throws Exception {
        StringBuilder out = new StringBuilder();
        for (String file : arguments) {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(Path.of(file))));
            for (MutableRecordBatch batch : records.batches()) {
                batch.ensureValid();
                for (Record record : batch) {
                    out.append(record.offset()).append('\t').append(record.timestamp()).append('\t').append(text(record.key())).append('\t').append(text(record.value()));
                    for (Header header : record.headers()) {
                        out.append('\t').append(header.key()).append('=').append(header.value() == null ? "null" : new String(header.value(), StandardCharsets.UTF_8));
                    }
                    out.append('\n');
                }
            }
        }
        System.out.write(out.toString().getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }

    private static String text(ByteBuffer buffer) {
        return buffer == null ? "null" : StandardCharsets.UTF_8.decode(buffer.duplicate()).toString();
    }
}
