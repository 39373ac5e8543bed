import CLibpq
import Glibc

/// Sending and waiting. The connection is in libpq's non-blocking mode: this file alone decides how long a wait may last.
extension PostgresSession {
  /// Begins a statement, unless the call is over already.
  func start() throws(PostgresError) {
    guard !isSpent else { throw error(.closed, "The connection is closed") }
    if !isCleaningUp {
      guard !Task.isCancelled else { throw error(.cancelled, "The call was cancelled before it was sent") }
      guard deadline > .now else { throw error(.timeout, "The call's deadline passed before the statement was sent") }
    }
    interruption = nil
    limit = deadline
  }

  /// Checks that libpq took what it was given, and pushes it out.
  func sent(_ status: CInt) throws(PostgresError) {
    guard status == 1 else { throw lost() }
    try flush()
  }

  func flush() throws(PostgresError) {
    while true {
      switch PQflush(connection) {
      case 0: return
      case 1: try awaitSocket(POLLIN | POLLOUT)
      default: throw lost()
      }
      // The server may be telling something before it reads on: take it, or both sides wait for ever.
      guard PQconsumeInput(connection) == 1 else { throw lost() }
    }
  }

  func sendCopyData(_ bytes: [UInt8]) throws(PostgresError) {
    let chunkBytes = 64 * 1024
    var offset = 0
    while offset < bytes.count {
      let count = min(chunkBytes, bytes.count - offset)
      let status = bytes.withUnsafeBytes {
        PQputCopyData(connection, ($0.baseAddress! + offset).assumingMemoryBound(to: CChar.self), CInt(count))
      }
      // The copy has failed on the server's side when libpq takes no more; the result says why.
      guard status == 1 else { return }
      try flush()
      offset += count
    }
  }

  /// Takes all results of the statement; returns the last, or throws the first that is an error.
  func finish(expecting expected: [ExecStatusType]) throws(PostgresError) -> StatementResult {
    var last: StatementResult?
    var failure: PostgresError?
    while let result = try nextResult() {
      let status = result.status
      if failure == nil, !expected.contains(status) { failure = refusal(result) }
      last = consume result
      if [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(status) {
        // No end follows these. In a statement that was not meant to copy, the connection cannot go on.
        if failure != nil { isSpent = true }
        break
      }
    }
    if interruption != nil, failure?.sqlState != Self.queryCanceled {
      // The statement ended in its own way, and the request to cancel is still under way to whatever comes next.
      isSpent = true
    }
    if let failure { throw failure }
    guard let last else { throw lost() }
    return last
  }

  private static let queryCanceled = "57014"

  private func nextResult() throws(PostgresError) -> StatementResult? {
    while PQisBusy(connection) == 1 {
      try awaitSocket(POLLIN)
      guard PQconsumeInput(connection) == 1 else { throw lost() }
    }
    return PQgetResult(connection).map { StatementResult($0) }
  }

  /// Waits for the socket. At the deadline, and when the task is cancelled, the server is asked to stop and has the grace to
  /// say so; then the connection is given up.
  private func awaitSocket(_ events: CInt) throws(PostgresError) {
    while true {
      switch wake.wait(socket: PQsocket(connection), events: events, until: limit) {
      case .socket: return
      case .woken:
        if Task.isCancelled, !isCleaningUp, interruption == nil { interrupt(.cancelled) }
      case .timedOut:
        guard interruption == nil, !isCleaningUp else {
          isSpent = true
          throw interrupted(sqlState: nil)
        }
        interrupt(.timeout)
      }
    }
  }

  private func interrupt(_ reason: PostgresError.Code) {
    interruption = reason
    limit = .now + grace
    CancelRequest.send(for: connection)
  }

  private func interrupted(sqlState: String?) -> PostgresError {
    interruption == .cancelled
      ? error(.cancelled, "The call was cancelled", sqlState: sqlState)
      : error(.timeout, "The server did not finish within the call's deadline", sqlState: sqlState)
  }

  /// The error for a result that is not the expected one.
  private func refusal(_ result: borrowing StatementResult) -> PostgresError {
    let sqlState = result.field(.sqlState)
    if interruption != nil, sqlState == Self.queryCanceled { return interrupted(sqlState: sqlState) }
    guard PQstatus(connection) == CONNECTION_OK else { return lost(sqlState: sqlState) }
    guard let sqlState else { return error(.unexpectedResult, "The statement gave no result of the expected kind") }
    // The server's detail and context quote rows, so only its first sentence is taken.
    return error(.refused, result.field(.message) ?? "The server refused the statement", sqlState: sqlState)
  }

  private func lost(sqlState: String? = nil) -> PostgresError {
    isSpent = true
    if interruption != nil { return interrupted(sqlState: sqlState) }
    return error(.connectionLost, "The connection broke during the call", sqlState: sqlState)
  }

  func error(_ code: PostgresError.Code, _ sentence: String, sqlState: String? = nil) -> PostgresError {
    PostgresError(code, sqlState: sqlState, message: "PostgreSQL at \(endpoint): \(sentence)")
  }

  /// True when the connection can serve another call: alive, between transactions, nothing unread. Costs one system call.
  var isUsable: Bool {
    guard !isSpent, PQtransactionStatus(connection) == PQTRANS_IDLE else { return false }
    // While nothing runs, the server speaks up only to give a notice, or to end the connection: then one read gets its reason, and the next one the end.
    for _ in 0..<2 where wake.isReadable(socket: PQsocket(connection)) && PQconsumeInput(connection) != 1 { isSpent = true }
    if PQstatus(connection) != CONNECTION_OK { isSpent = true }
    return !isSpent
  }
}
