import Testing

@testable import RedisClient

@Suite("Hash slots")
struct HashSlotTests {
  @Test func `the check value of the specification comes out`() {
    #expect(HashSlot.crc16("123456789".utf8) == 0x31C3)
    #expect(HashSlot.crc16("".utf8) == 0)
  }

  /// As `CLUSTER KEYSLOT` of Redis 7.0 answers.
  @Test(arguments: [("foo", 12_182), ("hello", 866), ("events:{3}", 1584), ("state:{14}:EPIC-001", 115), ("audit", 1463)])
  func `keys have the slots that a server gives them`(_ key: String, _ slot: Int) {
    #expect(HashSlot.of(key.utf8) == slot)
  }

  @Test(arguments: [
    ("{user1000}.following", "user1000"), ("foo{bar}{zap}", "bar"), ("foo{{bar}}zap", "{bar"), ("a}{b}c", "b"),
  ])
  func `only what stands in the first braces counts`(_ key: String, _ tag: String) {
    #expect(HashSlot.of(key.utf8) == Int(HashSlot.crc16(tag.utf8)) % HashSlot.count)
  }

  @Test(arguments: ["foo{}{bar}", "{}", "foo{bar", "foo}bar", "{"])
  func `without anything in the first braces the whole key counts`(_ key: String) {
    #expect(HashSlot.of(key.utf8) == Int(HashSlot.crc16(key.utf8)) % HashSlot.count)
  }
}

@Suite("The slot of a command")
struct CommandSlotTests {
  private static let slot = HashSlot.of("events:{3}".utf8)

  @Test(arguments: [
    RedisCommand("GET", "events:{3}"), RedisCommand("SET", "x:{3}", "{4}"), RedisCommand("XADD", "events:{3}", "*", "e", "STREAMS"),
    RedisCommand("XREAD", "COUNT", 5, "BLOCK", 500, "STREAMS", "events:{3}", "0-0"),
    RedisCommand("XREADGROUP", "GROUP", "ingest", "one", "STREAMS", "commands:{3}:urgent", ">"),
    RedisCommand("XINFO", "STREAM", "events:{3}"), RedisCommand("XGROUP", "CREATE", "commands:{3}:normal", "ingest", "0", "MKSTREAM"),
    RedisCommand("FCALL", "append", 2, "events:{3}", "epoch:{3}", "{4}"), RedisCommand("PUBLISH", "a{3}", "text"),
    RedisCommand("XCLAIM", "commands:{3}:normal", "ingest", "one", 0, "1-1", "JUSTID"),
  ])
  func `is that of its first key`(_ command: RedisCommand) { #expect(command.slot == Self.slot) }

  @Test(arguments: [
    RedisCommand("PING"), RedisCommand("TIME"), RedisCommand("INFO", "memory"), RedisCommand("FUNCTION", "LOAD", "{3}"),
    RedisCommand("FCALL", "greet", 0, "{3}"), RedisCommand("WAIT", 1, 100), RedisCommand("CLIENT", "ID"), RedisCommand("ECHO", "{3}"),
    RedisCommand("GET"),
  ])
  func `is none without a key`(_ command: RedisCommand) { #expect(command.slot == nil) }

  @Test func `a key of any bytes is read whole`() {
    let key = Array("a\r\n$3\r\n{".utf8) + Array(0...255) + Array("}".utf8)
    #expect(RedisCommand("HGETALL", key).slot == HashSlot.of(key))
  }
}
