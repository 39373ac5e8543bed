import Models
import Store
import Testing

@testable import Signaling

@Suite struct WatchTextTests {
  private static func record(_ end: WatchRecord.End?) throws -> WatchRecord {
    let device = try ApplianceID("cam-1")
    return WatchRecord(
      id: WatchID(device: device, random: (3, 4)), device: device, userID: "a \"quoted\" ü", startedAt: Timestamp(microseconds: 1),
      answeredAt: end.map { _ in Timestamp(microseconds: 2) }, end: end)
  }

  @Test func `A record comes out of Redis as it went in`() throws {
    for end in [nil, WatchRecord.End(at: Timestamp(microseconds: 3), reason: .userEnded)] {
      let record = try Self.record(end)
      #expect(WatchRecord(parsing: record.encoded()) == record)
    }
    #expect(WatchRecord(parsing: Array("{}".utf8)) == nil)
  }

  @Test func `A frame comes out of Redis as it went in`() throws {
    let frame = WatchFrame(.credentials, try Self.record(nil).id, Array("{}".utf8))
    #expect(WatchFrame(parsing: frame.encoded()) == frame)
    #expect(WatchFrame(parsing: Array(frame.encoded().prefix(37))) == nil)
    #expect(WatchFrame(parsing: Array("x".utf8) + frame.encoded().dropFirst()) == nil)
  }

  @Test func `TURN credentials are those that coturn computes`() throws {
    let servers = ICEServers(
      stunURLs: ["stun:s"], turnURLs: ["turn:t"], readSecret: { "\nnorth\nsouth" }, credentialLife: .seconds(3600))
    let watch = try #require(WatchID("550e8400-e29b-41d4-a716-446655440000"))
    let now = Timestamp(microseconds: 1_735_736_400_000_000)
    let list = servers.list(for: .device, of: watch, userID: "123", now: now)
    // printf %s 1735740000:device_550e8400 | openssl dgst -sha1 -hmac north -binary | base64
    #expect(
      list == [
        ICEServer(urls: ["stun:s"]),
        ICEServer(urls: ["turn:t"], credential: .init(username: "1735740000:device_550e8400", password: "WD8CnNKjXOMNJjGcJwU7gD+Pu1Q=")),
      ])
    let viewer = servers.list(for: .viewer, of: watch, userID: "a:b/c", now: now).last?.credential?.username
    #expect(viewer == "1735740000:viewer_a-b-c_550e8400")
    #expect(!"\(servers)".contains("north"))
  }

  @Test func `Work for a connection is done in its order`() {
    var queue = ConnectionQueue()
    for frame in [[1], [2]] as [[UInt8]] { _ = queue.append(frame) }
    queue.ring()
    queue.ring()
    queue.accessChanged(.user("a"))
    queue.accessChanged(.user("b"))
    queue.takePlaceAnew()
    #expect(queue.next() == .takePlaceAnew)
    #expect(queue.next() == .accessChanged(.everything))
    #expect(queue.next() == .collect)
    #expect(queue.next() == .frame([1]))
    queue.ring()
    queue.closed(inGoodOrder: true)
    queue.receipt()
    #expect(queue.next() == .receipt)
    #expect(queue.next() == .frame([2]))
    #expect(queue.next() == .closed(inGoodOrder: true))
    queue.ring()
    #expect(queue.next() == nil)
    var full = ConnectionQueue()
    let taken = (0...ConnectionQueue.frameCountMax).map { _ in full.append([0]) }
    #expect(taken == [Bool](repeating: true, count: ConnectionQueue.frameCountMax) + [false])
  }
}
