import LocalStack
import Models
import Testing

@testable import Signaling

/// Frames that wait for an end, as the functions on a real Redis number, keep, drop and give them.
@Suite(.timeLimit(.minutes(1))) struct MailTests {
  /// A connection's side of a list, as a desk follows it.
  private struct Taker {
    var delivery = Delivery()
    let take: (Delivery, _ most: Int) async throws -> Switchboard.Mail

    /// What is given now, 2 frames at a time.
    mutating func told() async throws -> [String] {
      var replies: [DeskReply] = []
      while case .frames(let frames, from: let number, hasMore: let hasMore) = try await take(delivery, 2) {
        delivery.send(frames.map(\.count), from: number, isPatient: true)
        replies += frames.compactMap(WatchFrame.init(parsing:)).map { .send($0.text) }
        if !hasMore { break }
      }
      return replies.told
    }

    /// The client has all of it.
    mutating func confirm() {
      delivery.ask()
      delivery.confirm()
    }
  }

  private static let viewer = WatchSession.Seat(replica: "viewers", connection: 2)

  private func camera(_ scene: BrokerScene, generation: Int64) -> Taker {
    Taker { try await scene.switchboard.takeMail(of: scene.device, generation: generation, $0, most: $1) }
  }

  private func letters(_ scene: BrokerScene, _ watch: WatchID, _ seat: WatchSession.Seat = Self.viewer) -> Taker {
    Taker { try await scene.switchboard.takeLetters(of: watch, for: seat, $0, most: $1) }
  }

  private func begin(_ scene: BrokerScene) async throws -> WatchID {
    guard case .ready(let watch, _) = try await scene.watchroom.begin(scene.device, userID: "ann", viewer: Self.viewer) else {
      throw Unexpected(what: "no session")
    }
    return watch
  }

  private func say(_ signal: WatchSession.Signal, in watch: WatchID, _ scene: BrokerScene) async throws {
    #expect(try await scene.watchroom.apply(.signal(.viewer, Self.viewer, signal), to: watch) == .done)
  }

  private func candidate(_ number: Int, in watch: WatchID, _ scene: BrokerScene) async throws {
    try await say(.candidate(Array("{\"n\":\(number)}".utf8)), in: watch, scene)
  }

  /// The camera's next connection.
  private func attach(_ scene: BrokerScene) async throws -> (generation: Int64, sessions: [WatchID]) {
    let attachment = try await scene.switchboard.attach(scene.device, replica: "cameras", connection: 3)
    guard case .attached(let generation, let sessions) = attachment else { throw Unexpected(what: "not attached") }
    return (generation, sessions)
  }

  /// A session that the camera has answered.
  private func answered(_ scene: BrokerScene) async throws -> WatchID {
    let watch = try await begin(scene)
    try await say(.offer(Array("{}".utf8)), in: watch, scene)
    try await scene.say(.answer(Array("{}".utf8)), in: watch)
    return watch
  }

  @Test func `What a connection has is dropped, and the next one is given the rest in its order`() async throws {
    try await BrokerScene.run { scene in
      let watch = try await answered(scene)
      var first = camera(scene, generation: scene.seat.generation)
      #expect(try await first.told() == ["watch_request", "signal_offer"])
      first.confirm()
      for number in 1...3 { try await candidate(number, in: watch, scene) }
      #expect(try await first.told() == ["1", "2", "3"])
      #expect(try await first.told() == [])
      var second = camera(scene, generation: scene.seat.generation)
      #expect(try await second.told() == ["1", "2", "3"])
      second.confirm()
      _ = try await second.take(second.delivery, 0)
      var third = camera(scene, generation: scene.seat.generation)
      #expect(try await third.told() == [])
      try await candidate(4, in: watch, scene)
      #expect(try await third.told() == ["4"])
    }
  }

  @Test func `Of a list that has run out nothing is taken for had, whatever was under way`() async throws {
    try await BrokerScene.run { scene in
      let watch = try await answered(scene)
      var taker = camera(scene, generation: scene.seat.generation)
      #expect(try await taker.told() == ["watch_request", "signal_offer"])
      _ = try await scene.server.cli("DEL", Bus.signalMail(scene.device))
      #expect(try await taker.told() == [])
      for number in 1...3 { try await candidate(number, in: watch, scene) }
      taker.confirm()
      #expect(try await taker.take(taker.delivery, 0) != .absent)
      #expect(try await taker.told() == ["1", "2", "3"])
      var next = camera(scene, generation: scene.seat.generation)
      #expect(try await next.told() == ["1", "2", "3"])
    }
  }

  @Test func `A number past the end of the list drops what is there, and no frame to come`() async throws {
    try await BrokerScene.run { scene in
      let watch = try await answered(scene)
      var taker = camera(scene, generation: scene.seat.generation)
      #expect(try await taker.told() == ["watch_request", "signal_offer"])
      let next = try #require(taker.delivery.next)
      taker.delivery.send([1, 1, 1], from: next, isPatient: true)
      taker.confirm()
      #expect(try await taker.told() == [])
      try await candidate(1, in: watch, scene)
      #expect(try await taker.told() == ["1"])
    }
  }

  @Test func `Taking none gives none, also of a list that begins anew`() async throws {
    try await BrokerScene.run { scene in
      let watch = try await answered(scene)
      var taker = camera(scene, generation: scene.seat.generation)
      guard case .frames([], from: let first, hasMore: true) = try await taker.take(taker.delivery, 0) else {
        throw Unexpected(what: "frames, or none left")
      }
      #expect(try await taker.told() == ["watch_request", "signal_offer"])
      _ = try await scene.server.cli("DEL", Bus.signalMail(scene.device))
      try await candidate(1, in: watch, scene)
      guard case .frames([], from: let number, hasMore: true) = try await taker.take(taker.delivery, 0) else {
        throw Unexpected(what: "frames, or none left")
      }
      #expect(number > first + 2)
      #expect(try await taker.told() == ["1"])
    }
  }

  @Test func `What is forgotten of one session leaves the others' frames, in their order`() async throws {
    try await BrokerScene.run { scene in
      let (stays, begins) = (try await answered(scene), try await begin(scene))
      var old = camera(scene, generation: scene.seat.generation)
      #expect(try await old.told() == ["watch_request", "signal_offer", "watch_request"])
      old.confirm()
      for number in 1...2 {
        try await candidate(number, in: stays, scene)
        try await say(number == 1 ? .offer(Array("{}".utf8)) : .candidate(Array("{\"n\":10}".utf8)), in: begins, scene)
      }
      #expect(try await old.told() == ["1", "signal_offer", "2", "10"])

      let (generation, sessions) = try await attach(scene)
      #expect(Set(sessions) == [stays, begins])
      let seat = WatchSession.Seat(replica: "cameras", connection: 3, generation: generation)
      for watch in [stays, begins] { #expect(try await scene.watchroom.apply(.returned(.device, seat), to: watch) == .done) }
      var new = camera(scene, generation: generation)
      #expect(try await new.told() == ["1", "2", "watch_request", "signal_offer", "10"])
      new.confirm()
      try await candidate(3, in: stays, scene)
      #expect(try await new.told() == ["3"])
    }
  }

  @Test func `A connection that has lost its place drops nothing`() async throws {
    try await BrokerScene.run { scene in
      let watch = try await answered(scene)
      var (oldCamera, oldViewer) = (camera(scene, generation: scene.seat.generation), letters(scene, watch))
      #expect(try await oldCamera.told() == ["watch_request", "signal_offer"])
      #expect(try await oldViewer.told() == ["signal_answer"])
      oldCamera.confirm()
      oldViewer.confirm()
      let seat = WatchSession.Seat(replica: "elsewhere", connection: 4)
      #expect(try await scene.watchroom.apply(.returned(.viewer, seat), to: watch) == .done)
      let generation = try await attach(scene).generation
      #expect(try await oldCamera.take(oldCamera.delivery, 2) == .superseded)
      #expect(try await oldViewer.take(oldViewer.delivery, 2) == .superseded)
      var (newCamera, newViewer) = (camera(scene, generation: generation), letters(scene, watch, seat))
      #expect(try await newCamera.told() == ["watch_request", "signal_offer"])
      #expect(try await newViewer.told() == ["signal_answer"])
    }
  }

  @Test func `How a session ended is told to whichever connection of its viewer asks`() async throws {
    try await BrokerScene.run { scene in
      let watch = try await answered(scene)
      #expect(try await scene.watchroom.apply(.stop(.userEnded), to: watch) == .done)
      for connection in [2, 3] as [UInt64] {
        let taker = letters(scene, watch, WatchSession.Seat(replica: "viewers", connection: connection))
        guard case .gone(let last?) = try await taker.take(taker.delivery, 2) else { throw Unexpected(what: "no end") }
        #expect(WatchFrame(parsing: last)?.kind == .ended)
      }
    }
  }
}
