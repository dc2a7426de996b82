"""The Data Access API on loopback, with made-up accounts: for trying out, for tests and for benchmarks."""

from pipeline.sandbox.account import Account, demo_accounts
from pipeline.sandbox.authentication import credentials_for
from pipeline.sandbox.misbehaviour import FaultSpec, fault_list
from pipeline.sandbox.names import name_files, settings_rows
from pipeline.sandbox.routes import Request
from pipeline.sandbox.server import Sandbox
from pipeline.sandbox.traffic import documents, file_bytes, hour_file_names

__all__ = [
    "Account",
    "FaultSpec",
    "Request",
    "Sandbox",
    "credentials_for",
    "demo_accounts",
    "documents",
    "fault_list",
    "file_bytes",
    "hour_file_names",
    "name_files",
    "settings_rows",
]
