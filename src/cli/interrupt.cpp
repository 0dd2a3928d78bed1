#include "cli/interrupt.hpp"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX

namespace portolan::cli {
namespace {

volatile sig_atomic_t caught = 0;

extern "C" void portolan_remember_signal(int number) { caught = number; }

}  // namespace

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = portolan_remember_signal;
  action.sa_flags = SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return caught != 0; }

int interrupt_code() { return caught == 0 ? 0 : 128 + caught; }

}  // namespace portolan::cli
