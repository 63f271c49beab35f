// C++: unwinding, also in threads, strings, maps, streams.
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct Noisy {
	std::string name;
	~Noisy() { std::cout << "~" << name << "\n"; }
};

static int descend(int depth)
{
	Noisy noisy{"depth " + std::to_string(depth)};
	if (depth == 0)
		throw std::runtime_error("bottom");
	return descend(depth - 1) + 1;
}

int main()
{
	try {
		descend(5);
	} catch (const std::exception &error) {
		std::cout << error.what() << "\n";
	}
	std::map<std::string, std::vector<int>> groups;
	for (int i = 0; i < 100; i++)
		groups[std::to_string(i % 7)].push_back(i);
	for (const auto &group : groups)
		std::cout << group.first << " " << group.second.size() << "\n";
	int bad = 0;
	std::thread thread([&] {
		for (int i = 0; i < 1000; i++)
			try {
				throw i;
			} catch (int caught) {
				bad += caught != i;
			}
	});
	thread.join();
	std::cout << bad << " " << 1.25 << " " << 1e100 << "\n";
}
