internal import Foundation
internal import Models
internal import NIOHTTP1

/// Commands, from their sending to their outcome.
extension MartletClient {
  /// The server settles a command within half a minute; after this much it is not waited for any more.
  private static let outcomeLimit = Duration.seconds(45)
  /// Between two looks at a command that the server took by the API.
  private static let lookInterval = Duration.seconds(1)

  /// Sends a command, and waits for the appliance's own word, 45 seconds at most.
  ///
  /// On a live connection the Epicura document's commands go over it, everything else by the API. A `cooking:stop` whose connection was lost
  /// before the server had told that it took it is sent again by the API; of any other command the outcome is then unknown. Cancel the
  /// task, and nobody waits any more; the command goes its way.
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
    guard commands.add(command, requestID: order.requestID, to: order.appliance, isByAPI: isByAPI) else {
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

  private func sendByAPI(_ order: Order) async {
    guard let api else {
      let message = "There is no connection, so nothing was sent; try again in a moment."
      return tell(commands.fail(order.requestID, .notConnected, message))
    }
    do {
      let taken = try await api.ask(.POST, order.path, body: order.body)
      guard let id = taken.string("command_id") else {
        throw APIError(code: "not_understood", message: "The API did not name the command.")
      }
      tell(commands.identified(order.requestID, id))
      tell(commands.take(taken, of: order.requestID))
      // Its events tell the outcome too, when the appliance is followed; what comes first counts.
      while commands.isOpen(order.requestID) {
        try await timing.sleep(Self.lookInterval, .look)
        guard let record = try? await api.ask(.GET, "\(order.path)/\(Endpoint.escaped(id))") else { continue }
        tell(commands.take(record, of: order.requestID))
      }
    } catch let error as APIError {
      tell(commands.fail(order.requestID, CommandError.Code(rawValue: error.code.uppercased()), error.message))
    } catch is CancellationError {
      return
    } catch {
      tell(commands.fail(order.requestID, .signedOut, "There is no token, so nothing was sent: \(error)"))
    }
  }
}

/// A command as it is sent.
private struct Order: Sendable {
  let requestID = UUID().uuidString
  let appliance: ApplianceID
  private let type: EventType
  private let data: [UInt8]

  init(_ command: MartletCommand, to appliance: String) throws(CommandError) {
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
