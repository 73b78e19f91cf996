import java.util.UUID;
import org.apache.kafka.common.serialization.*;

/** Prints what Kafka's own serializers write: format, value as JSON, bytes in hex, separated by tabs. */
public class SerializationVectors {
  static void print(String format, String value, byte[] bytes) {
    StringBuilder hex = new StringBuilder();
    for (byte one : bytes) hex.append(String.format("%02x", one));
    System.out.println(format + "\t" + value + "\t" + hex);
  }

  public static void main(String[] arguments) {
    for (String text : new String[] {"", "a", "Grüße, 世界 🌊"})
      print("string", "\"" + text + "\"", new StringSerializer().serialize("t", text));
    for (int one : new int[] {0, 1, -1, 42, Integer.MIN_VALUE, Integer.MAX_VALUE})
      print("integer", "" + one, new IntegerSerializer().serialize("t", one));
    for (long one : new long[] {0, 1, -1, 9007199254740991L, -9007199254740991L, 9007199254740992L, 9007199254740993L, Long.MIN_VALUE, Long.MAX_VALUE})
      print("long", "" + one, new LongSerializer().serialize("t", one));
    for (short one : new short[] {0, 1, -1, Short.MIN_VALUE, Short.MAX_VALUE})
      print("short", "" + one, new ShortSerializer().serialize("t", one));
    for (float one : new float[] {0f, 1.5f, -2.25f, 1.0e10f})
      print("float", "" + (double) one, new FloatSerializer().serialize("t", one));
    for (double one : new double[] {0, 0.1, -2.25, Double.MAX_VALUE, Double.MIN_VALUE})
      print("double", "" + one, new DoubleSerializer().serialize("t", one));
    for (boolean one : new boolean[] {true, false})
      print("boolean", "" + one, new BooleanSerializer().serialize("t", one));
    for (String one : new String[] {"123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"})
      print("uuid", "\"" + one + "\"", new UUIDSerializer().serialize("t", UUID.fromString(one)));
  }
}
