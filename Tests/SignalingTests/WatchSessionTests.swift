import Models
import Testing

@testable import Signaling

/// One session with the time in the test's hand.
private struct Scene {
  static let begin = Timestamp(microseconds: 1_700_000_000_000_000)
  static let offer = WatchSession.Signal.offer(Array(#"{"type":"offer","sdp":"v=0"}"#.utf8))
  static let answer = WatchSession.Signal.answer(Array(#"{"type":"answer","sdp":"v=0"}"#.utf8))
  static let noCandidate = WatchSession.Signal.candidate(Array("null".utf8))
  static func candidate(_ number: Int) -> WatchSession.Signal { .candidate(Array(#"{"candidate":"candidate:\#(number)"}"#.utf8)) }

  let device = WatchSession.Seat(replica: "a", connection: 1, generation: 10)
  let viewer = WatchSession.Seat(replica: "b", connection: 2)
  var limits = WatchSession.Limits()
  var now = Scene.begin
  var session: WatchSession

  init(_ inputs: WatchSession.Input...) throws {
    let appliance = try ApplianceID("cam-1")
    session = WatchSession(
      id: WatchID(device: appliance, random: (1, 2)), device: appliance, userID: "alice", deviceSeat: device, viewerSeat: viewer, now: now)
    for input in inputs { _ = handle(input) }
  }

  mutating func handle(_ input: WatchSession.Input) -> [WatchSession.Action] { session.handle(input, limits: limits, now: now) }
  mutating func viewer(_ signal: WatchSession.Signal) -> [WatchSession.Action] { handle(.signal(.viewer, viewer, signal)) }
  mutating func device(_ signal: WatchSession.Signal) -> [WatchSession.Action] { handle(.signal(.device, device, signal)) }

  mutating func pass(_ time: Duration) -> [WatchSession.Action] {
    now = now + time
    return handle(.time)
  }

  static func ended(_ reason: WatchEndReason) -> [WatchSession.Action] {
    [.tell(.device, .ended(reason)), .tell(.viewer, .ended(reason)), .end(reason)]
  }
}

extension WatchSession.Action {
  fileprivate static func signal(_ side: WatchSession.Side, _ signal: WatchSession.Signal) -> Self { .tell(side, .signal(signal)) }
}

@Suite struct WatchSessionTests {
  @Test func `A session goes the document's way`() throws {
    var scene = try Scene()
    #expect(scene.viewer(Scene.offer) == [.signal(.device, Scene.offer)])
    #expect(scene.device(Scene.answer) == [.signal(.viewer, Scene.answer)])
    #expect(scene.session.phase == .answered)
    #expect(scene.viewer(Scene.candidate(1)) == [.signal(.device, Scene.candidate(1))])
    #expect(scene.device(Scene.candidate(2)) == [.signal(.viewer, Scene.candidate(2))])
    #expect(scene.device(Scene.noCandidate) == [.signal(.viewer, Scene.noCandidate)])
    #expect(scene.session.phase == .connecting)
    #expect(scene.handle(.endWatch(scene.viewer)) == Scene.ended(.userEnded))
  }

  @Test func `Candidates wait for the description that they belong to`() throws {
    var scene = try Scene()
    #expect(scene.viewer(Scene.candidate(1)) == [])
    #expect(scene.device(Scene.candidate(2)) == [])
    #expect(scene.viewer(Scene.offer) == [.signal(.device, Scene.offer), .signal(.device, Scene.candidate(1))])
    #expect(scene.device(Scene.candidate(3)) == [])
    #expect(scene.viewer(Scene.candidate(4)) == [.signal(.device, Scene.candidate(4))])
    #expect(
      scene.device(Scene.answer) == [
        .signal(.viewer, Scene.answer), .signal(.viewer, Scene.candidate(2)), .signal(.viewer, Scene.candidate(3)),
      ])
    #expect(scene.session.phase == .connecting)
  }

  @Test func `What is out of order is refused by name and changes nothing`() throws {
    let waits = "'signal_offer' is out of order: the last one is not answered yet"
    let nothing = "'signal_answer' is out of order: no offer waits for an answer"
    var scene = try Scene()
    for (step, refusals) in [
      (nil, [(WatchSession.Side.device, Scene.answer, nothing)]), (Scene.offer, [(.viewer, Scene.offer, waits)]),
      (Scene.answer, [(.device, Scene.answer, nothing)]),
    ] as [(WatchSession.Signal?, [(WatchSession.Side, WatchSession.Signal, String)])] {
      if let step { _ = step == Scene.offer ? scene.viewer(step) : scene.device(step) }
      let always = [
        (WatchSession.Side.device, Scene.offer, "A device does not send 'signal_offer'"),
        (.viewer, Scene.answer, "A viewer does not send 'signal_answer'"),
      ]
      for (side, signal, text) in refusals + always {
        let before = scene.session
        #expect(scene.handle(.signal(side, side == .device ? scene.device : scene.viewer, signal)) == [.refuse(text)])
        #expect(scene.session == before)
      }
    }
  }

  @Test func `A new offer after the answer negotiates anew`() throws {
    var scene = try Scene()
    _ = scene.viewer(Scene.offer)
    _ = scene.device(Scene.answer)
    let again = WatchSession.Signal.offer(Array(#"{"sdp":"2"}"#.utf8))
    #expect(scene.viewer(again) == [.signal(.device, again)])
    #expect(scene.device(Scene.candidate(1)) == [])
    #expect(scene.device(Scene.answer) == [.signal(.viewer, Scene.answer), .signal(.viewer, Scene.candidate(1))])
  }

  @Test func `Each step has its time`() throws {
    let steps: [(String, Duration, (inout Scene) -> Void)] = [
      ("no offer", .seconds(30), { _ in }), ("no answer", .seconds(20), { _ = $0.viewer(Scene.offer) }),
      (
        "no candidate", .seconds(30),
        {
          _ = $0.viewer(Scene.offer)
          _ = $0.device(Scene.answer)
          _ = $0.viewer(Scene.noCandidate)
        }
      ),
      (
        "whole session", .seconds(4 * 3600),
        {
          _ = $0.viewer(Scene.offer)
          _ = $0.device(Scene.answer)
          _ = $0.viewer(Scene.candidate(1))
        }
      ),
    ]
    for (name, time, prepare) in steps {
      var scene = try Scene()
      prepare(&scene)
      #expect(scene.session.deadline(scene.limits) == Scene.begin + time, "\(name)")
      #expect(scene.pass(time - .microseconds(1)) == [], "\(name)")
      #expect(scene.pass(.microseconds(1)) == Scene.ended(.timeout), "\(name)")
    }
  }

  @Test func `A description with candidates in it needs no others`() throws {
    var scene = try Scene()
    _ = scene.viewer(.offer(Array(#"{"sdp":"v=0\r\na=candidate:1 1 UDP"}"#.utf8)))
    _ = scene.device(Scene.answer)
    #expect(scene.session.phase == .connecting)
  }

  @Test(arguments: WatchSession.Side.allCases)
  func `An end that is lost has its grace, and one that left has none`(side: WatchSession.Side) throws {
    let reason: WatchEndReason = side == .device ? .deviceDisconnected : .viewerDisconnected
    var scene = try Scene()
    let seat = side == .device ? scene.device : scene.viewer
    #expect(scene.handle(.lost(side, seat)) == [])
    #expect(scene.session.deadline(scene.limits) == Scene.begin + .seconds(5))
    #expect(scene.pass(.seconds(4)) == [])
    #expect(scene.pass(.seconds(1)) == Scene.ended(reason))

    scene = try Scene()
    #expect(scene.handle(.left(side, seat)) == Scene.ended(reason))
  }

  @Test func `When both are lost the session ends once`() throws {
    var scene = try Scene()
    _ = scene.handle(.lost(.viewer, scene.viewer))
    _ = scene.handle(.lost(.device, scene.device))
    #expect(scene.pass(.seconds(5)) == Scene.ended(.deviceDisconnected))
  }

  @Test func `A device that comes back before it answered is told everything anew`() throws {
    let back = WatchSession.Seat(replica: "c", connection: 7, generation: 11)
    var scene = try Scene()
    _ = scene.handle(.lost(.device, scene.device))
    #expect(scene.handle(.returned(.device, back)) == [.forgetMail, .tell(.device, .request)])
    #expect(scene.pass(.seconds(6)) == [])

    scene = try Scene()
    _ = scene.viewer(Scene.offer)
    _ = scene.viewer(Scene.candidate(1))
    #expect(
      scene.handle(.returned(.device, back)) == [
        .forgetMail, .tell(.device, .request), .signal(.device, Scene.offer), .signal(.device, Scene.candidate(1)),
      ])
    // The same word once more says nothing new.
    #expect(scene.handle(.returned(.device, back)) == [])

    scene = try Scene()
    _ = scene.viewer(Scene.offer)
    _ = scene.device(Scene.answer)
    #expect(scene.handle(.returned(.device, back)) == [])
  }

  @Test func `The word of an older connection does not count`() throws {
    let newer = WatchSession.Seat(replica: "c", connection: 7, generation: 11)
    var scene = try Scene(.returned(.device, WatchSession.Seat(replica: "c", connection: 7, generation: 11)))
    let before = scene.session
    #expect(scene.handle(.lost(.device, scene.device)) == [])
    #expect(scene.handle(.left(.device, scene.device)) == [])
    #expect(scene.handle(.returned(.device, scene.device)) == [])
    #expect(scene.device(Scene.candidate(1)) == [.refuse("Session not found")])
    #expect(scene.session == before)
    #expect(scene.session.deviceEnd.seat == newer)
  }

  @Test func `A viewer's newest connection is the one that speaks`() throws {
    let newer = WatchSession.Seat(replica: "c", connection: 9)
    var scene = try Scene()
    #expect(scene.handle(.signal(.viewer, newer, Scene.offer)) == [.signal(.device, Scene.offer)])
    #expect(scene.handle(.lost(.viewer, scene.viewer)) == [])
    #expect(scene.session.viewerEnd == WatchSession.End(seat: newer, lostAt: nil))
  }

  @Test func `Who speaks is not lost`() throws {
    var scene = try Scene()
    _ = scene.handle(.lost(.viewer, scene.viewer))
    _ = scene.viewer(Scene.offer)
    #expect(scene.pass(.seconds(6)) == [])
  }

  @Test func `Somebody else may end it`() throws {
    for reason in WatchEndReason.allCases {
      var scene = try Scene()
      #expect(scene.handle(.stop(reason)) == Scene.ended(reason))
    }
  }

  @Test func `Credentials are renewed while the session goes on`() throws {
    var scene = try Scene()
    scene.limits.renewalPeriod = .seconds(600)
    _ = scene.viewer(Scene.offer)
    _ = scene.device(Scene.answer)
    _ = scene.device(Scene.candidate(1))
    for _ in 0..<3 {
      #expect(scene.pass(.seconds(599)) == [])
      #expect(scene.session.deadline(scene.limits) == scene.now + .seconds(1))
      #expect(scene.pass(.seconds(1)) == [.tell(.device, .credentials), .tell(.viewer, .credentials)])
    }
  }

  @Test func `Each end's new credentials come before its last ones run out, and are its own`() throws {
    let servers = ICEServers(stunURLs: [], turnURLs: ["turn:t"], readSecret: { "north" }, credentialLife: .seconds(3600))
    var scene = try Scene()
    scene.limits.renewalPeriod = servers.renewalPeriod
    _ = scene.viewer(Scene.offer)
    _ = scene.device(Scene.answer)
    _ = scene.device(Scene.candidate(1))
    /// The user names of both ends, as they would be told now.
    func names() -> [String] {
      WatchSession.Side.allCases.compactMap {
        servers.list(for: $0, of: scene.session.id, userID: "alice", now: scene.now).last?.credential?.username
      }
    }
    func end(_ name: String) -> Int64 { name.split(separator: ":").first.flatMap { Int64($0) } ?? 0 }
    var last = names()
    for _ in 0..<3 {
      scene.now = scene.session.deadline(scene.limits)
      #expect(scene.handle(.time) == [.tell(.device, .credentials), .tell(.viewer, .credentials)])
      let next = names()
      #expect(next[0].hasSuffix(":device_\(scene.session.id.short)") && next[1].hasSuffix(":viewer_alice_\(scene.session.id.short)"))
      for (old, new) in zip(last, next) {
        #expect(scene.now.microseconds < end(old) * 1_000_000 && end(old) < end(new))
      }
      last = next
    }
  }

  @Test func `What waits for a description is bounded in number and length`() throws {
    var scene = try Scene()
    for number in 0..<scene.limits.heldCountMax { _ = scene.viewer(Scene.candidate(number)) }
    #expect(scene.session.heldForDevice.count == scene.limits.heldCountMax)
    #expect(scene.viewer(Scene.candidate(0)) == [.refuse("Too many candidates before the answer")])
    let long = WatchSession.Signal.candidate([UInt8](repeating: 0x20, count: 4096))
    var taken = 0
    while scene.device(long) == [] { taken += 1 }
    #expect(taken == scene.limits.heldLengthMax_bytes / 4096)
  }

  @Test(arguments: 0..<40)
  func `Whatever happens, order holds and the session survives its way through Redis`(seed: Int) throws {
    var generator = Seeded(state: UInt64(seed) &+ 1)
    var scene = try Scene()
    var told: [WatchSession.Side: [WatchSession.Signal]] = [.device: [], .viewer: []]
    var generation: Int64 = 10
    for step in 0..<200 {
      let side: WatchSession.Side = generator.next() % 2 == 0 ? .device : .viewer
      let seat = scene.session[side].seat
      let input: WatchSession.Input
      switch generator.next() % 10 {
      case 0: input = .signal(.viewer, scene.session.viewerEnd.seat, Scene.offer)
      case 1: input = .signal(.device, scene.session.deviceEnd.seat, Scene.answer)
      case 2: input = .lost(side, seat)
      case 3:
        generation += 1
        input = .returned(side, WatchSession.Seat(replica: "r", connection: UInt64(step), generation: side == .device ? generation : 0))
      case 4: input = .time
      default: input = .signal(side, seat, Scene.candidate(step))
      }
      let actions = scene.handle(input)
      if actions.contains(.forgetMail) { told[.device] = [] }
      for case .tell(let side, .signal(let signal)) in actions { told[side]?.append(signal) }
      #expect(!actions.contains { if case .end = $0 { true } else { false } })
      let copy = WatchSession(id: scene.session.id, parsing: scene.session.encoded())
      #expect(copy == scene.session)
    }
    for (side, signals) in told {
      if let first = signals.first { #expect(first == (side == .device ? Scene.offer : Scene.answer)) }
    }
  }
}
