// Threads of C++: atomics of all sizes, locks, conditions, futures, thread_local objects, exceptions in threads.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <future>
#include <mutex>
#include <numeric>
#include <queue>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> destroyed, constructed;

struct Local {
    Local() { constructed++; }
    ~Local() { destroyed++; }
    int value = 0;
};
static thread_local Local local;
static thread_local std::string text = "fresh";

template <class T> static T count() {
    static std::atomic<T> counter;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([] {
            for (int n = 0; n < 20000; n++) {
                T old = counter.load(std::memory_order_relaxed);
                while (!counter.compare_exchange_weak(old, old + 1)) {}
                counter.fetch_add(2, std::memory_order_relaxed);
            }
        });
    for (auto &thread : threads) thread.join();
    return counter;
}

template <class T> class Channel {
    std::mutex mutex;
    std::condition_variable filled, emptied;
    std::queue<T> queue;

  public:
    void send(T value) {
        std::unique_lock lock(mutex);
        emptied.wait(lock, [&] { return queue.size() < 3; });
        queue.push(std::move(value));
        filled.notify_one();
    }
    T receive() {
        std::unique_lock lock(mutex);
        filled.wait(lock, [&] { return !queue.empty(); });
        T value = std::move(queue.front());
        queue.pop();
        emptied.notify_one();
        return value;
    }
};

static long fibonacci(int n) {
    if (n < 2) return n;
    auto one = std::async(n > 10 ? std::launch::async : std::launch::deferred, fibonacci, n - 1);
    return fibonacci(n - 2) + one.get();
}

int main() {
    std::printf("%d %d %d %lld\n", count<uint8_t>(), count<uint16_t>(), count<int>(), (long long)count<int64_t>());

    std::vector<std::thread> threads;
    for (int i = 0; i < 10; i++)
        threads.emplace_back([i] {
            local.value = i;
            text += std::to_string(local.value);
            if (text != "fresh" + std::to_string(i)) std::puts("not its own");
        });
    for (auto &thread : threads) thread.join();
    std::printf("thread_local %d %d, here %s\n", constructed.load(), destroyed.load(), text.c_str());

    Channel<std::string> there, back;
    std::thread server([&] {
        for (std::string word; (word = there.receive()) != "end";) {
            std::reverse(word.begin(), word.end());
            back.send(word);
        }
    });
    std::thread client([&] {
        for (int i = 0; i < 500; i++) there.send("word" + std::to_string(i));
        there.send("end");
    });
    std::string last;
    for (int i = 0; i < 500; i++) last = back.receive();
    client.join(), server.join();
    std::printf("%s, fibonacci %ld\n", last.c_str(), fibonacci(14));

    auto failing = std::async(std::launch::async, []() -> int { throw std::runtime_error("thrown in a thread"); });
    try {
        failing.get();
    } catch (const std::runtime_error &error) {
        std::puts(error.what());
    }

    std::shared_mutex shared;
    long value = 0, wrong = 0;
    std::atomic<int> started{0};
    std::vector<std::thread> mixed;
    for (int i = 0; i < 6; i++)
        mixed.emplace_back([&, i] {
            for (started++; started < 6;) std::this_thread::yield();
            for (int n = 0; n < 500; n++) {
                if (i < 2) {
                    std::unique_lock lock(shared);
                    value++, std::this_thread::yield(), value++;
                } else {
                    std::shared_lock lock(shared);
                    if (value & 1) __atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
                }
            }
        });
    for (auto &thread : mixed) thread.join();
    std::printf("shared_mutex %ld %ld\n", value, wrong);

    std::once_flag once;
    std::atomic<int> calls{0}, tries{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 5; i++)
        callers.emplace_back([&] {
            try {
                std::call_once(once, [&] {
                    if (tries++ < 2) throw 1;
                    calls++;
                });
            } catch (int) {}
        });
    for (auto &thread : callers) thread.join();
    std::printf("once %d\n", calls.load());

    std::atomic<bool> stop{false};
    std::thread endless([&] { while (!stop) std::this_thread::yield(); });
    stop = true, endless.join();
    std::printf("%d\n", std::thread::hardware_concurrency() > 0);
}
