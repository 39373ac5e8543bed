internal import Models

/// One app's connection to Martlet: events of appliances as they happen, and commands to them with their outcome.
///
/// ```swift
/// let client = try MartletClient(url: "wss://martlet.example.com/ws", api: "https://martlet.example.com/api") { _ in token }
/// async let connection: Void = client.run()
/// for try await event in await client.events(of: ["EPIC-001"]) {
///   if case .cookingError = event.content { try await client.send(.cookingStop, to: "EPIC-001") }
/// }
/// try await connection
/// ```
///
/// It comes back by itself after every loss, and misses nothing; see <doc:GettingStarted>.
public actor MartletClient {
  /// Gives the token of who uses the app. With `renew` the last one was refused, or ends soon: another one is wanted.
  ///
  /// Throws ``SignedOut`` when there is none any more. After any other error it is asked again, by the schedule.
  public typealias TokenSource = @Sendable (_ renew: Bool) async throws -> String

  let endpoint: Endpoint
  let api: API?
  let token: TokenSource?
  let timing: Timing
  let onProblem: @Sendable (String) -> Void

  var connection: Connection
  /// What `run` has still to do; nil while it does not run. At most one entry for each timer, attempt, renewal and round of polling waits.
  var work: AsyncStream<Work>.Continuation?
  /// Why `run` ended by itself.
  var failure: MartletError?
  var socket: WebSocket?
  /// Tells an attempt's late answers from those of the attempt under way.
  var attempt = 0
  /// The latest setting of each timer; an older one that still runs is ignored when it fires.
  var timers: [TimerName: Int] = [:]
  var settings = 0
  var appliances: [ApplianceID: Followed] = [:]
  var watchers: [AsyncStream<ConnectionState>.Continuation] = []
  var commands = OpenCommands()
  var senders: [String: AsyncStream<OpenCommands.News>.Continuation] = [:]
  /// Until when nothing is polled, because the API wants some peace.
  var quietUntil = Duration.zero

  /// An appliance that somebody follows.
  struct Followed {
    var feeds: [EventFeed]
    var seen: SeenEvents
    /// Subscriptions in a row that failed for the moment.
    var failures = 0
  }

  /// A client that does nothing until ``run()``.
  ///
  /// - Parameters:
  ///   - url: the WebSocket's, `ws://` or `wss://`.
  ///   - api: the REST API's, `http://` or `https://`, up to `/api`. Without it nothing is polled, and only the Epicura document's
  ///     commands are sent, as a device's local mode wants it.
  ///   - authorities: a PEM file of the certificate authorities to trust, in place of the system's.
  ///   - token: asked before each connection and question; without it none is sent.
  ///   - onProblem: told, with a sentence, what was ignored: frames that are no messages, errors of no appliance.
  /// - Throws: `MartletError` with the code `configuration`, saying what is wrong with which parameter.
  public init(
    url: String, api: String? = nil, authorities: String? = nil, token: TokenSource? = nil,
    onProblem: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(MartletError) {
    try self.init(url: url, api: api, authorities: authorities, token: token, timing: .system, onProblem: onProblem)
  }

  /// The same, by another clock.
  package init(
    url: String, api: String?, authorities: String? = nil, token: TokenSource?, timing: Timing,
    onProblem: @escaping @Sendable (String) -> Void
  ) throws(MartletError) {
    endpoint = try Endpoint(url, schemes: ["ws": 80, "wss": 443], authorities: authorities)
    self.api = try api.map { (text) throws(MartletError) in
      API(try Endpoint(text, schemes: ["http": 80, "https": 443], authorities: authorities), token: token)
    }
    (self.token, self.timing, self.onProblem) = (token, timing, onProblem)
    connection = Connection(hasAPI: api != nil)
  }

  /// Where the events come from just now. ``states`` tells every change.
  public var state: ConnectionState { connection.state }

  /// The state, and then every change of it until ``run()`` ends. A reader that is 16 changes behind skips the oldest.
  public var states: AsyncStream<ConnectionState> {
    let (stream, continuation) = AsyncStream.makeStream(of: ConnectionState.self, bufferingPolicy: .bufferingNewest(16))
    continuation.yield(state)
    watchers.append(continuation)
    return stream
  }

  /// Follows appliances from now on, or from an event that was seen: the greatest id of what the API has told, so that nothing falls between
  /// history and live events. May be called before ``run()`` or while it runs.
  ///
  /// At most 1,024 events wait for a reader: then the oldest telemetry gives way, and a discrete event that finds no room ends the sequence
  /// with ``FellBehind``. Several sequences may follow the same appliance; each event is told to all of them.
  ///
  /// - Parameters:
  ///   - appliances: 256 of a client, unless the server is set up for more.
  ///   - since: by appliance, the id of an event. It counts for an appliance that no other sequence follows.
  public func events(of appliances: [String], since: [String: String] = [:]) -> Events {
    sweep()
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let feed = EventFeed(arrived)
    for name in Set(appliances).sorted() { follow(name, since: since[name].flatMap(EventID.init), feed) }
    endIfLost(feed)
    return Events(feed: feed, arrivals: arrivals)
  }

  /// Connects, and comes back whenever the connection is lost, until its task is cancelled. When it ends, so do all sequences, and commands
  /// that went over the connection and have no outcome fail with `OUTCOME_UNKNOWN`. It may be run again afterwards.
  ///
  /// - Throws: `MartletError` when coming back would not help: `signedOut` or `refused`; and `alreadyRunning`.
  public func run() async throws(MartletError) {
    guard work == nil else { throw MartletError(.alreadyRunning, "The client runs already: one task is enough.") }
    let (stream, continuation) = AsyncStream.makeStream(of: Work.self)
    work = continuation
    if state == .closed { connection = Connection(hasAPI: api != nil) }
    await withDiscardingTaskGroup { group in
      handle(.start)
      for await next in stream { group.addTask { await self.perform(next) } }
      group.cancelAll()
    }
    work = nil
    end()
    defer { failure = nil }
    if let failure { throw failure }
  }
}
