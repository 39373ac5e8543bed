internal import Access
internal import AuditTrail
internal import Commands
internal import Models
internal import WebSocketTransport

/// What a connection does that the audit log is to tell (deploy/decisions/0026), in whatever dialect. Confined to its event loop.
final class ConnectionAudit {
  /// Whether who connects is an app's user or a device by itself.
  enum Holder { case user, device }

  private let voice: AuditVoice
  private var userID: String?
  private var applianceID: String?
  private var isOpen = false
  private var hasGone = false
  private var reason = ""

  init(_ voice: AuditVoice) { self.voice = voice }

  // MARK: Coming and going

  /// What the connection proves itself with was checked.
  func checked(_ admission: AccessGate.Admission, as holder: Holder, name: String? = nil) {
    switch admission {
    case .admitted(let principal):
      guard !isOpen, !hasGone else { return }
      isOpen = true
      (userID, applianceID) = holder == .user ? (principal.subject, nil) : (nil, principal.subject)
      note(.connectionOpened)
    case .refused(let error): voice.note(.authentication, .refused, applianceID: name, detail: error.text)
    case .unavailable: voice.note(.authentication, .failed, applianceID: name, detail: "it could not be checked")
    }
  }

  /// Another token was to take the place of the one before.
  func renewed(_ admission: AccessGate.Admission) {
    switch admission {
    case .admitted(let principal):
      guard principal.subject == userID ?? applianceID else { return note(.tokenRenewed, .refused, detail: "the token is another's") }
      note(.tokenRenewed)
    case .refused(let error): note(.tokenRenewed, .refused, detail: error.text)
    case .unavailable: note(.tokenRenewed, .failed, detail: "it could not be checked")
    }
  }

  /// We end it.
  func closes(_ reason: String) { self.reason = reason }

  func closed(_ code: WebSocketCloseCode) {
    hasGone = true
    guard isOpen else { return }
    isOpen = false
    note(.connectionClosed, detail: reason.isEmpty ? "\(code)" : "\(code), \(reason)")
  }

  // MARK: What it does

  func subscribed(to appliance: ApplianceID, _ result: AuditEntry.Result = .done) {
    voice.note(.subscriptionBegun, result, userID: userID, applianceID: appliance.rawValue)
  }

  func unsubscribed(from appliance: ApplianceID) { voice.note(.subscriptionEnded, userID: userID, applianceID: appliance.rawValue) }

  /// What the client said is not acted on.
  ///
  /// - Parameters:
  ///   - appliance: whose it is, where that is not the connection's own.
  ///   - reason: nothing of what it said, which may be a credential.
  func refused(_ reason: String, of appliance: ApplianceID? = nil) {
    voice.note(.request, .refused, userID: userID, applianceID: appliance?.rawValue ?? applianceID, detail: reason)
  }

  func commanded(_ appliance: ApplianceID?, _ type: String, commandID: String?, _ result: AuditEntry.Result, _ reason: String = "") {
    voice.note(
      .commandRequested, result, userID: userID, applianceID: appliance?.rawValue, commandID: commandID,
      detail: reason.isEmpty ? type : "\(type): \(reason)")
  }

  func commanded(_ appliance: ApplianceID, _ type: String, commandID: String, _ answer: CommandDesk.Answer) {
    switch answer {
    case .accepted: commanded(appliance, type, commandID: commandID, .done)
    case .failed(let failure):
      let isRefusal = failure.code == .notPermitted || failure.code == .invalidCommand || failure.code == .tooManyCommands
      commanded(appliance, type, commandID: commandID, isRefusal ? .refused : .failed, failure.code.rawValue)
    case .unavailable: commanded(appliance, type, commandID: commandID, .failed, "the log did not answer")
    }
  }

  private func note(_ action: AuditEntry.Action, _ result: AuditEntry.Result = .done, detail: String = "") {
    voice.note(action, result, userID: userID, applianceID: applianceID, detail: detail)
  }
}
