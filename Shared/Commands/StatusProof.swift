package import EventLog
package import Models

/// Which commands a module's status proves to be carried out: it has no other answer (deploy/decisions/0022). Pure, but for the reading of what was asked.
package enum StatusProof {
  /// Whether what a module was asked must be known to tell: a request for a status is answered by any.
  private static func needsCommand(_ open: OpenCommand) -> Bool { open.isSent && ReefnetCommand(open.type) == .setParam }

  /// What modules were asked, by the commands' ids, of those open commands for which it takes that to tell whether they are carried out. Throws what the log throws.
  package static func asked(_ open: [ApplianceID: [OpenCommand]], in log: any EventLog) async throws -> [String: Command] {
    var asked: [String: Command] = [:]
    for (appliance, commands) in open where commands.contains(where: needsCommand) {
      for command in try await log.history(of: appliance, after: .zero).events.compactMap(Command.init(requestedBy:)) {
        asked[command.id] = command
      }
    }
    return asked
  }

  /// The acknowledgements that follow from a status.
  ///
  /// - Parameters:
  ///   - open: the commands without an outcome, of each module.
  ///   - asked: of those, the commands as they were requested, by their ids, where that matters.
  package static func entries(in entry: LogEntry, open: [ApplianceID: [OpenCommand]], asked: [String: Command]) -> [LogEntry] {
    guard case .event(let status) = entry.content, status.type == .reefnetStatus else { return [] }
    // A status that came before the module was sent the command tells nothing of it.
    let waiting = (open[status.applianceID] ?? []).filter { $0.isSent && ReefnetCommand($0.type) != nil }
    guard !waiting.isEmpty, let payload = (try? JSONObject(parsing: status.data))?.object("payload") else { return [] }
    return waiting.filter { isShown($0, asked[$0.id], in: payload) }.map { command in
      let event = CommandOutcome.acknowledged(command.id, command.type, by: status.applianceID, message: nil, at: status.timestamp)
      return LogEntry(.event(event), order: entry.order, step: .close(id: command.id))
    }
  }

  private static func isShown(_ open: OpenCommand, _ command: Command?, in payload: JSONObject) -> Bool {
    guard needsCommand(open) else { return true }
    guard let data = command.flatMap({ try? JSONObject(parsing: $0.data) }), let control = try? ReefnetControl(.setParam, data: data) else {
      return false
    }
    return ReefnetStatus.shows(control, in: payload)
  }
}
