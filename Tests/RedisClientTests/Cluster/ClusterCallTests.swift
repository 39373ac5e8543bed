import NIOCore
import Testing

@testable import RedisClient

private let (nodeA, nodeB, nodeC) = (
  RedisAddress(host: "10.0.0.1", port: 6379), RedisAddress(host: "10.0.0.2", port: 6379), RedisAddress(host: "10.0.0.3", port: 6379)
)

private func range(_ first: Int64, _ last: Int64, _ nodes: RedisAddress...) -> RESPValue {
  .array(
    [.integer(first), .integer(last)]
      + nodes.map { .array([.string(Array($0.host.utf8)), .integer(Int64($0.port)), .string(Array("id".utf8)), .array([])]) })
}

/// Slots 0 to 5999 are at A, which has C for a replica; the others at B, which has none.
private func map() throws -> SlotMap { try SlotMap(.array([range(0, 5999, nodeA, nodeC), range(6000, 16_383, nodeB)]), askedAt: nodeA) }

@Suite("The map of slots")
struct SlotMapTests {
  @Test func `names masters and replicas`() throws {
    let map = try map()
    #expect(map.master(of: 0) == nodeA && map.master(of: 5999) == nodeA && map.master(of: 6000) == nodeB)
    #expect(map.mayHaveReplica(nodeA) && !map.mayHaveReplica(nodeB) && !map.isReplicated)
    #expect(Set(map.nodes) == [nodeA, nodeB, nodeC])
  }

  @Test func `takes a move over, also to a node that it did not know`() throws {
    var map = try map()
    map.move(5, to: nodeC)
    map.move(HashSlot.count, to: nodeB)
    #expect(map.master(of: 5) == nodeC && map.master(of: 6) == nodeA)
    #expect(map.mayHaveReplica(nodeC), "nobody has told that it has none")
  }

  @Test func `may have gaps, and nodes that know no name of their own`() throws {
    let nameless = RESPValue.array([.integer(7), .integer(7), .array([.null, .integer(7000), .string([])])])
    let map = try SlotMap(.array([nameless]), askedAt: nodeB)
    #expect(map.master(of: 7) == RedisAddress(host: nodeB.host, port: 7000) && map.master(of: 8) == nil)
    #expect(RedisAddress(named: ":7000", by: nodeB) == RedisAddress(host: nodeB.host, port: 7000))
    #expect(RedisAddress(named: "fe80::1:7000", by: nodeB) == RedisAddress(host: "fe80::1", port: 7000))
    #expect(RedisAddress(named: "host", by: nodeB) == nil && RedisAddress(named: "host:70000", by: nodeB) == nil)
  }

  @Test(arguments: [
    RESPValue.null, .array([.integer(1)]), .array([.array([.integer(0), .integer(16_384)])]), .array([range(5, 4, nodeA)]),
    .array([range(-1, 4, nodeA)]), .array([range(0, 16_384, nodeA)]), .array([.array([.integer(0), .integer(1), .array([.null])])]),
  ])
  func `is refused when it is none`(_ reply: RESPValue) {
    #expect(throws: RedisError.self) { try SlotMap(reply, askedAt: nodeA) }
  }
}

/// `foo` is at B (slot 12182), `hello` at A (866).
@Suite("A call to a cluster")
struct ClusterCallTests {
  private func ok(_ number: Int64) -> ClusterCall.Outcome { .success(.integer(number)) }
  private func refused(_ text: String) -> ClusterCall.Outcome { .failure(RedisError(reply: text)) }
  private func names(_ part: ClusterCall.Part) -> [String] {
    part.commands.map { command in
      String(String(decoding: command.body.readableBytesView, as: UTF8.self).split(separator: "\r\n")[1])
    }
  }

  @Test func `goes to the nodes of its keys, and its outcomes come back in order`() throws {
    var call = ClusterCall([RedisCommand("GET", "foo"), RedisCommand("SET", "hello", 1), RedisCommand("TIME"), RedisCommand("DEL", "foo")])
    let parts = try call.parts(by: map())
    #expect(parts.map(\.node) == [nodeB, nodeA])
    #expect(parts.map(names) == [["GET", "DEL"], ["SET", "TIME"]], "what has no key goes along")
    _ = try call.answered(parts[1], [ok(2), ok(3)])
    #expect(call.result == nil)
    _ = try call.answered(parts[0], [ok(1), ok(4)])
    #expect(call.result == [ok(1), ok(2), ok(3), ok(4)])
  }

  @Test func `follows a slot that has moved, with what goes along`() throws {
    var call = ClusterCall([RedisCommand("TIME"), RedisCommand("GET", "hello"), RedisCommand("PING"), RedisCommand("GET", "foo")])
    var map = try map()
    let first = call.parts(by: map)
    #expect(first.map(names) == [["TIME", "GET", "PING"], ["GET"]])
    let verdict = try call.answered(first[0], [ok(0), refused("MOVED 866 10.0.0.3:6379"), ok(2)])
    _ = try call.answered(first[1], [ok(3)])
    #expect(verdict.moves.map(\.slot) == [866] && verdict.moves.map(\.to) == [nodeC] && !verdict.isHeldUp)
    map.move(866, to: nodeC)
    let second = call.parts(by: map)
    #expect(second.map(\.node) == [nodeC] && second.map(names) == [["GET", "PING"]])
    _ = try call.answered(second[0], [ok(1), ok(2)])
    #expect(call.result == [ok(0), ok(1), ok(2), ok(3)])
  }

  @Test func `asks the node that has a key of a slot on its way, once`() throws {
    var call = ClusterCall([RedisCommand("GET", "hello")])
    let map = try map()
    let first = call.parts(by: map)
    _ = try call.answered(first[0], [refused("ASK 866 10.0.0.2:6379")])
    let second = call.parts(by: map)
    #expect(second.map(\.node) == [nodeB] && second.map(names) == [["ASKING", "GET"]])
    let verdict = try call.answered(
      second[0], [.success(.status("OK")), refused("TRYAGAIN Multiple keys request during rehashing of slot")])
    #expect(verdict.isHeldUp)
    let third = call.parts(by: map)
    #expect(third.map(\.node) == [nodeA] && third.map(names) == [["GET"]])
    _ = try call.answered(third[0], [refused("WRONGTYPE Operation against a key")])
    #expect(call.result == [refused("WRONGTYPE Operation against a key")], "an error of the command's own is its outcome")
  }

  @Test func `waits for a node that cannot be reached, and for a slot that nobody has`() throws {
    var call = ClusterCall([RedisCommand("GET", "hello")])
    let parts = try call.parts(by: map())
    let failure = RedisError(.unreachable, "nobody there")
    let verdict = call.unreachable(parts[0], failure)
    #expect(verdict.isHeldUp)
    #expect(call.result == nil && call.result(at: RedisError(.timeout, "late")) == [.failure(failure)])
    let gap = try SlotMap(.array([range(6000, 16_383, nodeB)]), askedAt: nodeB)
    let none = call.parts(by: gap)
    #expect(none.isEmpty && call.isHomeless)
    guard case .failure(let error) = call.result(at: failure)[0] else { throw failure }
    #expect(error.code == .server("CLUSTERDOWN") && error.message.contains("866"))
  }

  @Test func `waits for a replica where there is one, and tells when none has confirmed`() throws {
    let commands = [RedisCommand("SET", "foo", 1), RedisCommand("SET", "hello", 1)]
    var call = ClusterCall(commands, replicaTimeout_ms: 100)
    let parts = try call.parts(by: map())
    #expect(parts.map(names) == [["SET"], ["SET", "WAIT"]], "B has no replica")
    _ = try call.answered(parts[0], [ok(1)])
    var confirmed = call
    _ = try confirmed.answered(parts[1], [ok(2), ok(1)])
    #expect(confirmed.result == [ok(1), ok(2)])
    let error = #expect(throws: RedisError.self) { try call.answered(parts[1], [ok(2), ok(0)]) }
    #expect(error?.code == .notReplicated)
  }

  @Test func `what was not done needs no replica`() throws {
    var call = ClusterCall([RedisCommand("SET", "hello", 1)], replicaTimeout_ms: 100)
    let parts = try call.parts(by: map())
    let verdict = try call.answered(parts[0], [refused("CLUSTERDOWN Hash slot not served"), ok(0)])
    #expect(verdict.isHeldUp)
  }
}
