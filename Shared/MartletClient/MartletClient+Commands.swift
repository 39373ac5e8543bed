internal import Foundation
internal import Models
internal import NIOHTTP1

/// Commands, from their sending to their outcome.
extension MartletClient {
  /// The server settles a command within half a minute; after this much it is not waited for any more.
  private static let outcomeLimit = Duration.seconds(45)
  /// Between two looks at a command that the server took by the API.
  private static let lookInterval = Duration.seconds(1)
  /// The server tells within milliseconds that it took a stop. After this much of silence the stop goes by the API, too.
  private static let stopWordLimit = Duration.seconds(1)
  /// So often is a stop asked for that the API does not answer, one try within a second of the other.
  private static let stopTries = 10

  /// Sends a command, and waits for the appliance's own word, 45 seconds at most.
  ///
  /// On a live connection the Epicura document's commands go over it, everything else by the API. A `cooking:stop` of which the server has
  /// not told within a second that it took it, or whose connection was lost before, is sent by the API as well, and the connection is looked
  /// after; of any other command the outcome is unknown when the connection was lost. A stop that the API does not answer is asked for
  /// again. Cancel the task, and nobody waits any more; what was sent goes its way.
  ///
  /// - Parameters:
  ///   - command: what is to be done.
  ///   - appliance: who is to do it; it need not be followed.
  ///   - progress: told how far it has come.
  /// - Throws: `CommandError`, saying why it came to nothing.
  @discardableResult
  public func send(
    _ command: MartletCommand, to appliance: String, progress: @Sendable (CommandStep) -> Void = { _ in }
  ) async throws(CommandError) -> Acknowledgement {
    let order = try Order(command, to: appliance)
    let isByAPI = !command.isSpoken || state != .websocket
    guard commands.add(command, requestID: order.requestID, to: order.appliance, over: isByAPI ? nil : attempt) else {
      throw CommandError(code: .tooManyCommands, message: "Too many commands have no outcome yet: wait for some.")
    }
    // A command has less news than this.
    let (news, sender) = AsyncStream.makeStream(of: OpenCommands.News.self, bufferingPolicy: .bufferingOldest(16))
    senders[order.requestID] = sender
    defer {
      commands.remove(order.requestID)
      senders[order.requestID] = nil
    }
    if !isByAPI { say(order.message) }
    return try await follow(order, isByAPI: isByAPI, news, progress).get()
  }

  private func follow(
    _ order: Order, isByAPI: Bool, _ news: AsyncStream<OpenCommands.News>, _ progress: (CommandStep) -> Void
  ) async -> Result<Acknowledgement, CommandError> {
    await withTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      group.addTask { await self.expire(order) }
      if isByAPI { group.addTask { await self.sendByAPI(order) } }
      if order.isStop, !isByAPI { group.addTask { await self.doubt(order) } }
      for await item in news {
        switch item {
        case .step(let step): progress(step)
        case .acknowledged(let acknowledgement): return .success(acknowledgement)
        case .failed(let error): return .failure(error)
        case .unheard: group.addTask { await self.sendByAPI(order) }
        }
      }
      return .failure(
        CommandError(code: .outcomeUnknown, message: "The outcome was not waited for; the command may have been carried out."))
    }
  }

  /// Brings news to those who wait for them.
  func tell(_ told: [OpenCommands.Told]) {
    for told in told { senders[told.requestID]?.yield(told.news) }
  }

  private func expire(_ order: Order) async {
    do { try await timing.sleep(Self.outcomeLimit, .outcome) } catch { return }
    let message = "Nothing was heard of the command in time; whether it was carried out is unknown."
    tell(commands.fail(order.requestID, .outcomeUnknown, message))
  }

  /// A stop of which nothing was told does not wait until the connection is given up, which may be gone without a word. The device may hear
  /// it more than once then, which is one stop.
  private func doubt(_ order: Order) async {
    do { try await timing.sleep(Self.stopWordLimit, .word) } catch { return }
    guard commands.isUnheard(order.requestID) else { return }
    if api != nil { tell(commands.rescue(order.requestID)) }
    handle(.doubted)
  }

  private func sendByAPI(_ order: Order) async {
    guard let api else {
      let message = "There is no connection, so nothing was sent; try again in a moment."
      return tell(commands.fail(order.requestID, .notConnected, message))
    }
    do {
      let taken = try await ask(api, order)
      guard let id = taken.string("command_id") else {
        throw APIError(code: "not_understood", message: "The API did not name the command.")
      }
      tell(commands.take(taken, of: order.requestID))
      // Its events tell the outcome too, when the appliance is followed; what comes first counts.
      while commands.isOpen(order.requestID, as: id) {
        try await timing.sleep(Self.lookInterval, .look)
        let path = "\(order.path)/\(Endpoint.escaped(id))"
        guard let record = try? await api.ask(.GET, path, isUrgent: order.isStop) else { continue }
        tell(commands.take(record, of: order.requestID))
      }
    } catch let error as APIError {
      tell(commands.refused(order.requestID, CommandError.Code(rawValue: error.code.uppercased()), error.message))
    } catch is CancellationError {
      return
    } catch {
      tell(commands.refused(order.requestID, .signedOut, "There is no token, so nothing was sent: \(error)"))
    }
  }

  private enum Turn: Sendable {
    case answered(Result<JSONObject, any Error>)
    case next
  }

  /// A stop is asked for again until there is an answer, while the questions before it go on. It goes over the WebSocket that has come about
  /// meanwhile, too. Throws the last error.
  private func ask(_ api: API, _ order: Order) async throws -> JSONObject {
    var left = order.isStop ? Self.stopTries : 1
    var failure: any Error = CancellationError()
    return try await withThrowingTaskGroup(of: Turn.self) { group in
      defer { group.cancelAll() }
      func ask() {
        left -= 1
        group.addTask { .answered(await Self.ask(api, order)) }
        guard left > 0 else { return }
        let wait = ReconnectSchedule.wait(beforeAttempt: 1, random: timing.random())
        group.addTask { [timing] in
          try await timing.sleep(wait, .again)
          return .next
        }
      }
      ask()
      while let turn = try await group.next() {
        switch turn {
        case .answered(.success(let record)): return record
        case .answered(.failure(let error)):
          guard (error as? APIError)?.isPassing == true else { throw error }
          failure = error
        case .next:
          // What was told meanwhile is not asked for any more.
          guard commands.isUnnamed(order.requestID) else {
            left = 0
            continue
          }
          if order.isSpoken, state == .websocket, commands.add(attempt, of: order.requestID) { say(order.message) }
          ask()
        }
      }
      // No try is left, and none open.
      throw failure
    }
  }

  private static func ask(_ api: API, _ order: Order) async -> Result<JSONObject, any Error> {
    do { return .success(try await api.ask(.POST, order.path, body: order.body, isUrgent: order.isStop)) } catch { return .failure(error) }
  }
}

/// A command as it is sent.
private struct Order: Sendable {
  let requestID = UUID().uuidString
  let appliance: ApplianceID
  let isStop: Bool
  let isSpoken: Bool
  private let type: EventType
  private let data: [UInt8]

  init(_ command: MartletCommand, to appliance: String) throws(CommandError) {
    (isStop, isSpoken) = (command.isStop, command.isSpoken)
    do {
      self.appliance = try ApplianceID(appliance)
      type = try EventType(command.type)
      data = try command.data.map { try JSONObject(parsing: Array($0)).bytes } ?? Array("{}".utf8)
    } catch {
      throw CommandError(code: .invalidCommand, message: "This is no command that could be sent: \(error).")
    }
  }

  /// Over `/ws`.
  var message: EpicuraClientMessage { .command(type, appliance, data: data, requestID: requestID) }

  var path: String { "/v1/appliances/\(Endpoint.escaped(appliance.rawValue))/commands" }

  /// `{"type","request_id","data"}`
  var body: [UInt8] {
    var text = Array("{".utf8)
    text.appendMember("type", type.rawValue)
    text.appendMember("request_id", requestID)
    return text + Array(",\"data\":".utf8) + data + [UInt8(ascii: "}")]
  }
}
