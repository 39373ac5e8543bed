import Testing

@testable import Signaling

@Suite struct DeliveryTests {
  @Test func `What is sent counts as had once a pong shows it, and is dropped by the next taking`() {
    var delivery = Delivery()
    #expect(delivery.had == nil && delivery.next == nil && delivery.isCertain)
    delivery.send([10, 20], from: 7, isPatient: false)
    #expect(delivery.had == 7 && delivery.next == 9 && !delivery.isCertain)
    delivery.ask()
    delivery.send([30], from: 9, isPatient: false)
    #expect(!delivery.mustDrop)
    delivery.confirm()
    #expect(delivery.had == 9 && delivery.next == 10 && !delivery.isCertain, "the third was sent after the ping")
    #expect(delivery.mustDrop)
    delivery.ask()
    delivery.confirm()
    #expect(delivery.had == 10 && delivery.next == 10 && delivery.isCertain)
    delivery.send([], from: 10, isPatient: false)
    #expect(!delivery.mustDrop && delivery.had == 10)
  }

  @Test func `A pong that nobody asked for shows nothing`() {
    var delivery = Delivery()
    delivery.send([10], from: 0, isPatient: false)
    delivery.confirm()
    #expect(delivery.had == 0 && !delivery.mustDrop)
    delivery.ask()
    delivery.confirm()
    delivery.confirm()
    #expect(delivery.had == 1)
  }

  @Test func `A list that begins anew is followed from there, and a pong for what was before shows nothing`() {
    var delivery = Delivery()
    delivery.send([10, 10], from: 0, isPatient: false)
    delivery.ask()
    delivery.send([10], from: 1_000_000, isPatient: false)
    #expect(delivery.had == 1_000_000 && delivery.next == 1_000_001)
    delivery.confirm()
    #expect(delivery.had == 1_000_000)
  }

  @Test func `Of what a client does not answer for, the oldest counts as had past a number and a length`() {
    var delivery = Delivery()
    delivery.send([Int](repeating: 1, count: Delivery.countMax), from: 0, isPatient: false)
    delivery.ask()
    delivery.send([1, 1], from: Int64(Delivery.countMax), isPatient: false)
    #expect(delivery.had == 2 && delivery.next == Int64(Delivery.countMax) + 2)
    delivery.confirm()
    #expect(delivery.had == Int64(Delivery.countMax), "the two that came after the ping are still open")

    delivery = Delivery()
    delivery.send([Delivery.lengthMax_bytes], from: 0, isPatient: false)
    #expect(delivery.had == 0)
    delivery.send([1], from: 1, isPatient: false)
    #expect(delivery.had == 1 && delivery.next == 2)
    delivery.send([Delivery.lengthMax_bytes + 1], from: 2, isPatient: false)
    #expect(delivery.had == 3 && delivery.isCertain, "what is longer by itself is not kept")
  }

  @Test func `What goes past a number and a length waits for a pong where one is to come`() {
    var delivery = Delivery()
    #expect(delivery.send([Int](repeating: 1, count: Delivery.countMax + 1), from: 0, isPatient: true) == Delivery.countMax)
    #expect(delivery.isHeldBack && delivery.had == 0 && delivery.next == Int64(Delivery.countMax))
    #expect(delivery.send([], from: Int64(Delivery.countMax), isPatient: true) == 0)
    #expect(delivery.isHeldBack)
    delivery.ask()
    delivery.confirm()
    #expect(!delivery.isHeldBack && delivery.had == Int64(Delivery.countMax))
    #expect(delivery.send([1], from: Int64(Delivery.countMax), isPatient: true) == 1)
    #expect(!delivery.isHeldBack)

    delivery = Delivery()
    #expect(delivery.send([Delivery.lengthMax_bytes, 1], from: 0, isPatient: true) == 1)
    #expect(delivery.isHeldBack && delivery.had == 0)
    #expect(delivery.send([1], from: 1, isPatient: false) == 1)
    #expect(!delivery.isHeldBack && delivery.had == 1, "nobody waits any more")
    #expect(delivery.send([Delivery.lengthMax_bytes], from: 2, isPatient: true) == 0)
    #expect(delivery.send([], from: 1_000_000, isPatient: true) == 0)
    #expect(!delivery.isHeldBack, "the list began anew")
  }

  /// Against a model of the list on Redis whose frames are their numbers, from `base` on.
  @Test(arguments: 0..<20) func `Each connection is told in order all that no client is known to have`(seed: Int) {
    var generator = Seeded(state: UInt64(seed) &+ 1)
    var (base, end) = (Int64(0), Int64(0))
    var delivery = Delivery()
    // Of the connection that is there: what it was told, and what of that before its ping. Of all: what a client has shown to have.
    var (told, asked, shown) = (Int64(0), Int64(0), Int64(0))
    for _ in 0..<400 {
      switch generator.next() % 8 {
      case 0, 1: end += 1
      case 2, 3, 4:
        base = max(base, delivery.had ?? base)
        let next = max(delivery.next ?? base, base)
        #expect(base <= shown && next == told)
        let count = min(3, end - next)
        told = next + Int64(delivery.send([Int](repeating: 20_000, count: Int(count)), from: next, isPatient: true))
      case 5:
        delivery.ask()
        asked = told
      case 6:
        delivery.confirm()
        shown = max(shown, min(asked, delivery.had ?? 0))
      default:
        delivery = Delivery()
        (told, asked) = (base, base)
      }
    }
  }
}
